import { afterEach, beforeAll, expect, test } from 'vitest';
import type { KeptTranscriptEvent } from '../../contract/talk/transcript.ts';
import { skep } from '../harness/cli.ts';
import { allCompleted, type Farm, startFarm } from '../harness/farm.ts';
import { buildSkep, endAll, until } from '../harness/process.ts';
import { approvedSession, card } from '../harness/story.ts';
import { makeRepository } from '../harness/worker.ts';

beforeAll(buildSkep);
afterEach(endAll);

/** An agent that speaks the Agent Client Protocol, as small as one can be. It says its token aloud, as an agent that is led astray may. */
const agent = `#!/usr/bin/env node
const { writeFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const send = message => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
const tell = update => send({ method: 'session/update', params: { sessionId: 's', update } });
const says = (text, kind = 'agent_message_chunk') => tell({ sessionUpdate: kind, content: { type: 'text', text } });
const secret = process.env.SKEP_RUN_TOKEN;
createInterface({ input: process.stdin }).on('line', line => {
  const { id, method } = JSON.parse(line);
  if (method === 'initialize') send({ id, result: { protocolVersion: 1, agentCapabilities: {} } });
  else if (method === 'session/new') send({ id, result: { sessionId: 's' } });
  else if (method === 'session/prompt') {
    says('A file is wanted.', 'agent_thought_chunk');
    says('I look ');
    says('first.\\nThen I write.\\n');
    tell({ sessionUpdate: 'tool_call', toolCallId: 'a', title: 'env', kind: 'execute', status: 'in_progress', rawInput: { command: 'echo ' + secret } });
    tell({ sessionUpdate: 'tool_call_update', toolCallId: 'a', status: 'completed', rawOutput: 'SKEP_RUN_TOKEN=' + secret });
    writeFileSync('hello.txt', 'hello\\n');
    const content = [{ type: 'diff', path: process.cwd() + '/hello.txt', oldText: null, newText: 'hello\\n' }];
    tell({ sessionUpdate: 'tool_call', toolCallId: 'b', title: 'write hello.txt', kind: 'edit', status: 'in_progress', content, rawInput: { path: 'hello.txt' } });
    tell({ sessionUpdate: 'tool_call_update', toolCallId: 'b', status: 'completed' });
    says('100% done');
    send({ id, result: { stopReason: 'end_turn', usage: { inputTokens: 400, outputTokens: 40, totalTokens: 440 } } });
  }
});
`;

async function typed(farm: Farm, words: readonly string[]): Promise<{ out: string; err: string }> {
  const { code, out, err } = await skep([...words, '--server', farm.url], { env: { SKEP_TOKEN: farm.token } });
  if (code !== 0) throw new Error(`skep ${words.join(' ')}: ${err}`);
  return { out, err };
}

const eventsIn = (out: string) =>
  out
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as KeptTranscriptEvent);

async function building(farm: Farm, settings: object, files: Readonly<Record<string, string>>): Promise<string> {
  await farm.call('POST', '/api/projects', { name: 'story', repository: makeRepository(files), agent: settings, checks: [] });
  const session = await approvedSession(farm, card('story', [{ title: 'say hello' }]));
  await farm.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
  return until('a run', async () => {
    const { body } = await farm.call('GET', '/api/runs');
    return (body['runs'] as { id: string; subject_type: string }[]).find(each => each.subject_type === 'ticket')?.id;
  });
}

test('what an agent does is followed by typed events, and read, searched and played again when its run is over', async () => {
  const farm = await startFarm();
  const id = await building(farm, { kind: 'acp', command: ['./agent.js'], model: 'recorded/none' }, { 'agent.js': agent });
  // It begins before there is anything, and ends by itself.
  const following = typed(farm, ['run', 'transcript', id, '--follow', '--json']);
  farm.worker('one');
  const events = eventsIn((await following).out);
  expect(events.map(({ at: _at, ...event }) => event)).toEqual([
    { seq: 1, type: 'thought', text: 'A file is wanted.' },
    { seq: 2, type: 'message', text: 'I look first.\nThen I write.\n' },
    { seq: 3, type: 'tool_call', call: 'a', kind: 'execute', title: 'echo [run token]', input: '{"command":"echo [run token]"}' },
    { seq: 4, type: 'tool_result', call: 'a', status: 'completed', output: 'SKEP_RUN_TOKEN=[run token]' },
    { seq: 5, type: 'tool_call', call: 'b', kind: 'edit', title: 'write hello.txt', input: '{"path":"hello.txt"}' },
    { seq: 6, type: 'file_change', path: 'hello.txt', change: 'added', call: 'b' },
    { seq: 7, type: 'tool_result', call: 'b', status: 'completed', output: '' },
    { seq: 8, type: 'message', text: '100% done' },
    { seq: 9, type: 'usage', input_tokens: 400, output_tokens: 40 },
  ]);
  await until('the ticket completed', () => allCompleted(farm));

  const seqs = async (...words: string[]) =>
    eventsIn((await typed(farm, ['run', 'transcript', id, '--json', ...words])).out).map(({ seq }) => seq);
  expect(await seqs('--search', 'HELLO')).toEqual([5, 6]);
  expect(await seqs('--search', '0%')).toEqual([8]);
  expect(await seqs('--type', 'message,thought')).toEqual([1, 2, 8]);
  expect(await seqs('--replay', '--speed', '1000')).toHaveLength(9);
  expect((await typed(farm, ['run', 'show', id])).out).toMatch(/^transcript +9 events: skep run transcript [0-9a-f]{8}$/m);
  const { out } = await typed(farm, ['run', 'transcript', id]);
  expect(out.replace(/^\d\d:\d\d:\d\dZ {2}/gm, '')).toContain(
    'edit  write hello.txt\nadded  hello.txt\ncompleted  write hello.txt\n',
  );
  // The log has the same words, and the token neither.
  const log = (await typed(farm, ['run', 'log', id])).out;
  expect(log).toContain('$ echo [run token]\n  SKEP_RUN_TOKEN=[run token]\n> write hello.txt\n100% done\n');
  expect(log + out).not.toContain('skeprun_');
}, 120_000);

test('of a command as an agent there is a log and no transcript, which is said', async () => {
  const farm = await startFarm();
  const script = '#!/bin/sh\necho words; echo x > x.txt\n';
  const id = await building(farm, { kind: 'exec', command: ['./agent.sh'] }, { 'agent.sh': script });
  farm.worker('one');
  await until('the ticket completed', () => allCompleted(farm));
  const { out, err } = await typed(farm, ['run', 'transcript', id]);
  expect([out, err]).toEqual(['', expect.stringContaining(`skep run log ${id.slice(0, 8)}`)]);
  expect((await typed(farm, ['run', 'log', id])).out).toBe('words\n');
}, 120_000);
