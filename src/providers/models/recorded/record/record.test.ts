import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { type LanguageModel, stepCountIs, streamText, tool } from 'ai';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, callWith, playing, recordingWith, runOf, serveUpstream } from '../../../../../test/harness/recorded.ts';
import { type Upstream, UpstreamError } from '../../../../gateway/upstream.ts';
import { silentLog } from '../../../../kernel/log.ts';
import type { Step } from '../format.ts';
import { createRecordedUpstream, createRecordingFolder, loadRecording, recording } from '../index.ts';
import { removed } from './secrets.ts';

let folder: string;
const closing: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-record-'));
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(folder, { recursive: true });
});

const recordingFolder = (secrets: string[] = []) =>
  createRecordingFolder({ folder: join(folder, 'made'), secrets, log: silentLog });
const made = () => loadRecording(join(folder, 'made'));

const models: Record<string, (url: string) => LanguageModel> = {
  anthropic: url => createAnthropic({ baseURL: `${url}/v1`, apiKey: 'none' })('claude-sonnet-4-5'),
  chat: url => createOpenAICompatible({ name: 'x', baseURL: `${url}/v1`, includeUsage: true })('demo'),
};

/** An agent with tools of its own; returns all that it heard and did. */
async function play(upstream: Upstream, model: (url: string) => LanguageModel) {
  const server = await serveUpstream(upstream);
  closing.push(server.close);
  const outputs = ['a.js\n', '# fail 1\n# duration_ms 12\n', 'written', '# fail 0\n# duration_ms 34\n'];
  const execute = () => outputs.shift() ?? 'ok';
  const result = streamText({
    model: model(server.url),
    system: 'Working directory: /repo',
    prompt: 'Parse durations',
    tools: {
      bash: tool({ inputSchema: z.object({ command: z.string() }), execute }),
      write: tool({ inputSchema: z.object({ file_path: z.string(), content: z.string() }), execute }),
      skep_submit_result: tool({ inputSchema: z.object({ status: z.string() }), execute }),
      look: tool({ inputSchema: z.object({ at: z.string() }), execute }),
    },
    stopWhen: stepCountIs(20),
  });
  await result.consumeStream();
  return (await result.steps).map(({ text, toolCalls }) => ({
    text,
    calls: toolCalls.map(({ toolName, input }) => ({ toolName, input })),
  }));
}

const steps: Step[] = [
  { call: { tool: { name: 'look', input: { at: 'a' } } } },
  { say: 'Tests first.', call: { shell: 'node --test' } },
  { say: 'I mend it.', call: { write: { path: 'src/x.js', content: 'ü\n' } } },
  { call: { shell: 'node --test' } },
  { call: { report: { tool: 'submit_result', args: { status: 'done' } } } },
  { say: 'Done.' },
];

describe.each(Object.entries(models))('what was played on the wire of %s', (_name, model) => {
  it('is recorded in neutral words, and played again is the same conversation', async () => {
    const made1 = recordingFolder();
    const first = await play(recording(playing(...steps), made1), model);
    await made1.settled();
    const again = await made();
    expect(again.pricedAs).toBe('openai/gpt-5-codex');
    expect(again.scenes).toEqual([
      {
        match: { subject: 'ticket', title: 'Parse durations', round: 0 },
        steps: [steps[0], steps[1], { expect: '# fail 1', ...steps[2] }, steps[3], { expect: '# fail 0', ...steps[4] }, steps[5]],
      },
    ]);
    expect(await play(createRecordedUpstream(again), model)).toEqual(first);
    expect(first.flatMap(({ calls }) => calls)).toContainEqual({
      toolName: 'write',
      input: { file_path: '/repo/src/x.js', content: 'ü\n' },
    });
  });
});

const schema = { type: 'object', properties: { command: { type: 'string' } } };
const tools = [{ type: 'function', name: 'bash', parameters: schema }];
const responses = (input: unknown, more: object = {}) => ({ wire: 'responses' as const, body: { input, tools, ...more } });

describe('a folder of recordings', () => {
  it('holds one file per run, that only its owner reads, and nothing unfinished', async () => {
    const target = recordingFolder();
    const upstream = recording(
      createRecordedUpstream(recordingWith({ match: { subject: 'ticket' }, steps: [{ say: 'Done.' }] })),
      target,
    );
    for (const title of ['Parse durations', 'Ärger / "x"']) {
      for (const round of [0, 1]) await ask(upstream, { ...responses('a'), run: runOf({ runId: title + round, title, round }) });
    }
    await target.settled();
    const files = readdirSync(join(folder, 'made')).sort();
    expect(files).toEqual([
      'ticket-parse-durations-round-0.json',
      'ticket-parse-durations-round-1.json',
      'ticket-rger-x-round-0.json',
      'ticket-rger-x-round-1.json',
    ]);
    expect(statSync(join(folder, 'made', files[0] ?? '')).mode & 0o777).toBe(0o600);
    expect((await made()).scenes).toHaveLength(4);
  });

  it('replaces what was answered to a request that was sent again, and a run by a later one of the same scene', async () => {
    const target = recordingFolder();
    const said = (text: string) => recording(playing({ say: text }), target);
    await ask(said('first'), responses('a'));
    await ask(said('second'), responses('a'));
    await target.settled();
    expect((await made()).scenes[0]?.steps).toEqual([{ say: 'second' }]);
    await ask(said('third'), { ...responses('a'), run: runOf({ runId: 'later' }) });
    await target.settled();
    expect((await made()).scenes).toMatchObject([{ steps: [{ say: 'third' }] }]);
  });

  it('has no title that an agent asked for, no count, and no answer that was not whole', async () => {
    const target = recordingFolder();
    const upstream = recording(playing({ say: 'x'.repeat(100) }), target);
    await ask(upstream, { wire: 'responses', body: { input: 'Find a title' } });
    await ask(upstream, { ...responses('a'), operation: 'count' });
    await ask(upstream, responses('a', { max_output_tokens: 3 }));
    await ask(upstream, { ...responses('a'), run: runOf({ title: 'Other' }) });
    const left = await upstream.open(callWith({ ...responses('a'), isStream: true }));
    const reader = left.body[Symbol.asyncIterator]();
    await reader.next();
    await reader.return?.();
    const cut: Upstream = {
      ...playing({ say: 'x' }),
      open: async () => ({ status: 200, headers: {}, body: broken() }),
    };
    await expect(ask(recording(cut, target), { ...responses('a'), isStream: true })).rejects.toThrow('gone');
    await target.settled();
    await expect(made()).rejects.toThrow('does not exist');
  });

  it('has what a plain model says, though it was offered no tool', async () => {
    const target = recordingFolder();
    const asked = { ...responses('a'), body: { input: 'Write a poem' }, run: runOf({ agent: 'model' }) };
    await ask(recording(playing({ say: 'Roses are red' }), target), asked);
    await target.settled();
    expect((await made()).scenes).toMatchObject([{ steps: [{ say: 'Roses are red' }] }]);
  });

  it('has the steps of a model that calls several tools at once', async () => {
    const target = recordingFolder();
    const output = ['ls', 'pwd'].map((command, i) => ({
      type: 'function_call',
      call_id: `c${i}`,
      name: 'bash',
      arguments: JSON.stringify({ command }),
    }));
    const message = { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Both.' }] };
    await ask(recording(answering({ status: 'completed', output: [message, ...output] }), target), responses('a'));
    const outputs = output.map(({ call_id }) => ({ type: 'function_call_output', call_id, output: `of ${call_id}` }));
    const done = { status: 'completed', output: [message] };
    await ask(recording(answering(done), target), responses([{ role: 'user', content: 'a' }, ...output, ...outputs]));
    await target.settled();
    expect((await made()).scenes[0]?.steps).toEqual([
      { say: 'Both.', call: { shell: 'ls' } },
      { call: { shell: 'pwd' } },
      { expect: 'of c1', say: 'Both.' },
    ]);
  });

  it('has the objects of planning, told apart where there are several', async () => {
    const target = recordingFolder();
    const run = runOf({ subjectType: 'spec_phase', phase: 'TASKS', title: 'TASKS' });
    const text = { format: { type: 'json_schema', schema: {} } };
    const planning = (n: number) =>
      createRecordedUpstream(recordingWith({ match: { phase: 'TASKS' }, steps: [{ object: { n } }] }));
    for (const n of [1, 2]) {
      const input = `Make tasks\nfor feature ${n}\nas JSON`;
      await ask(recording(planning(n), target), { wire: 'responses', body: { input, text }, run });
    }
    await target.settled();
    const again = await made();
    expect(again.scenes).toEqual([
      {
        match: { subject: 'spec_phase', phase: 'TASKS', round: 0 },
        steps: [
          { expect: 'for feature 1', object: { n: 1 } },
          { expect: 'for feature 2', object: { n: 2 } },
        ],
      },
    ]);
  });

  it('has the answer to one who left with its last event', async () => {
    const target = recordingFolder();
    const upstream = recording(playing({ say: 'Done.' }), target);
    const { body } = await upstream.open(callWith({ ...responses('a'), isStream: true }));
    for await (const chunk of body) if (Buffer.from(chunk).includes('response.completed')) break;
    await target.settled();
    expect((await made()).scenes[0]?.steps).toEqual([{ say: 'Done.' }]);
  });

  it('holds no secret', async () => {
    const known = 'hunter2-hunter2';
    const key = ['sk', 'abcdefghijklmnopqrstuvwx'].join('-');
    const target = recordingFolder([known]);
    await ask(
      recording(playing({ say: `The key is ${key}`, call: { shell: `curl -u x:${known} $URL` } }), target),
      responses('a'),
    );
    await target.settled();
    const text = readFileSync(join(folder, 'made', 'ticket-parse-durations-round-0.json'), 'utf8');
    expect(text).not.toContain(known);
    expect(text).not.toContain(key);
    expect((await made()).scenes[0]?.steps).toEqual([
      { say: `The key is ${removed}`, call: { shell: `curl -u x:${removed} $URL` } },
    ]);
  });

  it('never fails the call that it records', async () => {
    const errors: string[] = [];
    const log = { ...silentLog, error: (_facts: object, message: string) => void errors.push(message) };
    const inTheWay = join(folder, 'file');
    writeFileSync(inTheWay, '');
    const target = createRecordingFolder({ folder: join(inTheWay, 'made'), secrets: [], log });
    expect((await ask(recording(playing({ say: 'x' }), target), responses('a'))).status).toBe(200);
    await target.settled();
    target.take(playing({ say: 'x' }), callWith({ wire: 'chat', body: '{' }), 'x');
    expect(errors).toEqual(['a recording could not be written', 'an answer could not be recorded']);
  });
});

function answering(document: object): Upstream {
  return { ...playing({ say: 'x' }), open: async () => ({ status: 200, headers: {}, body: whole(JSON.stringify(document)) }) };
}

async function* whole(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('data: {"type":"response.created"}\n\n');
  throw new UpstreamError('cut_off', 'gone');
}
