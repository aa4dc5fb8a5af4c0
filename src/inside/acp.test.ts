import { execa } from 'execa';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../test/harness/worker.ts';
import { acpProgram } from '../worker/host/acp-turn.ts';
import type { AcpEvent, AcpTurn } from '../worker/host/acp-turn.ts';
import { insideFolder } from '../worker/inside.ts';

const fixture = fileURLToPath(new URL('../../test/fixtures/acp-agent.ts', import.meta.url));
const agent = (...args: string[]): AcpTurn['argv'] => [
  process.execPath,
  '--import',
  import.meta.resolve('tsx'),
  fixture,
  ...args,
];

/** The client as a process, beside an agent that is one too. */
async function begin(turn: Partial<AcpTurn>, cwd = temporaryFolder()) {
  const given: AcpTurn = { argv: agent(), prompt: 'do it', promptAgain: 'go on', mcpUrl: 'http://127.0.0.1:1/mcp', ...turn };
  const client = execa(process.execPath, [join(await insideFolder(), acpProgram)], {
    ...{ cwd, env: { SKEP_RUN_TOKEN: 'skeprun_x' }, input: JSON.stringify(given), reject: false, timeout: 40_000 },
  });
  return { client, cwd };
}

async function converse(...given: Parameters<typeof begin>) {
  const { client, cwd } = await begin(...given);
  const { stdout, exitCode } = await client;
  expect(exitCode).toBe(0);
  return { events: stdout.split('\n').map(line => JSON.parse(line) as AcpEvent), cwd };
}

const saidIn = (events: readonly AcpEvent[]): string => JSON.stringify(events.filter(({ event }) => event === 'update'));

describe('the client of ACP', () => {
  it('has a turn, with the tools of the gateway, and tells what was done', async () => {
    const { events, cwd } = await converse({ prompt: 'say it' });
    expect(events.map(({ event }) => event)).toEqual(['session', 'update', 'ended']);
    const said = saidIn(events).replaceAll('\\', '');
    expect(said).toContain('say it');
    expect(said).toContain(`"cwd":"${cwd}"`);
    expect(said).toContain('"type":"http","name":"skep","url":"http://127.0.0.1:1/mcp"');
    expect(said).toContain('Bearer skeprun_x');
    expect(events.at(-1)).toEqual({ event: 'ended', stopReason: 'max_tokens', inputTokens: 0, outputTokens: 0 });
  });

  it('allows what the agent asks for, once, and tells of it', async () => {
    const { events } = await converse({ prompt: 'ask' });
    expect(events).toMatchObject([
      { event: 'session', begins: 'new' },
      { event: 'update', update: { sessionUpdate: 'tool_call', title: 'ls', status: 'in_progress' } },
      { event: 'update', update: { sessionUpdate: 'agent_message_chunk' } },
      { event: 'ended', stopReason: 'end_turn', inputTokens: 11, outputTokens: 7 },
    ]);
    expect(saidIn(events)).toContain('\\"optionId\\":\\"once\\"');
  });

  it('goes on with the session that was kept, and begins anew where the agent does not know it', async () => {
    const cwd = temporaryFolder();
    const sessionFile = join(cwd, 'session.json');
    const first = await converse({ argv: agent('load'), sessionFile }, cwd);
    expect(first.events[0]).toEqual({ event: 'session', begins: 'new' });
    const again = await converse({ argv: agent('load', 'fresh'), sessionFile }, cwd);
    expect(again.events[0]).toEqual({ event: 'session', begins: 'again' });
    expect(saidIn(again.events)).toMatch(/go on/);
    expect(saidIn(again.events)).not.toMatch(/what was said before|do it/);
    for (const argv of [agent('load'), agent('no', 'fresh')]) {
      const anew = await converse({ argv, sessionFile }, cwd);
      expect(anew.events[0]).toEqual({ event: 'session', begins: 'anew' });
      expect(saidIn(anew.events)).toMatch(/do it/);
    }
    writeFileSync(sessionFile, 'no JSON');
    expect((await converse({ argv: agent('load', 'fresh'), sessionFile }, cwd)).events[0]).toMatchObject({ begins: 'anew' });
    expect(JSON.parse(readFileSync(sessionFile, 'utf8'))).toEqual({ sessionId: 'fresh' });
  });

  it('gives conversations that are named by the minute another name before the agent starts, each once', async () => {
    const byMinute = temporaryFolder();
    const chats = join(byMinute, 'work/chats');
    mkdirSync(chats, { recursive: true });
    const put = (name: string, words: string): void => writeFileSync(join(chats, name), words);
    put('session-2026-11-23T07-46-ae5b12a1.jsonl', 'talk');
    put('logs.json', 'other');
    await converse({ byMinute });
    expect(readdirSync(chats).sort()).toEqual(['logs.json', 'session-before-ae5b12a1.jsonl']);
    // As it is begun beside the one that is gone on with.
    put('session-2026-11-23T07-47-ae5b12a1.jsonl', 'empty');
    await converse({ byMinute });
    expect(readdirSync(chats).sort()).toEqual(['logs.json', 'session-before-ae5b12a1.jsonl']);
    expect(readFileSync(join(chats, 'session-before-ae5b12a1.jsonl'), 'utf8')).toBe('talk');
    const none = await converse({ byMinute: join(byMinute, 'nowhere') });
    expect(none.events[0]).toEqual({ event: 'session', begins: 'new' });
  });

  it('begins anew where the model does not take the conversation any more', async () => {
    const cwd = temporaryFolder();
    const sessionFile = join(cwd, 'session.json');
    writeFileSync(sessionFile, '{"sessionId":"fresh"}');
    const { events } = await converse({ argv: agent('load', 'fresh'), sessionFile, promptAgain: 'refuse' }, cwd);
    expect(events.map(each => (each.event === 'session' ? each.begins : each.event))).toEqual([
      'again',
      'anew',
      'update',
      'ended',
    ]);
  });

  it.each([
    ['refuse', { event: 'failed', message: 'Internal error: {"details":"The budget is spent"}' }],
    ['fail', { event: 'failed', message: 'The budget is spent' }],
    ['leave', { event: 'failed', message: 'it ended with exit code 3 before its turn was finished' }],
    ['die', { event: 'died', signal: 'SIGKILL' }],
  ])('tells how an agent ended that was asked to %s', async (prompt, ending) => {
    const { events } = await converse({ prompt });
    expect(events.at(-1)).toEqual(ending);
  });

  it('tells that the agent died where what was below it says that it was cancelled, which nobody has asked for', async () => {
    const below = ['sh', '-c', '"$@"; true', 'sh', ...agent()] as const;
    const { events } = await converse({ argv: below, prompt: 'orphan' });
    expect(events.at(-1)).toEqual({ event: 'died', signal: 'SIGKILL' });
  });

  it('says of a program that is not there that it is not', async () => {
    expect((await converse({ argv: ['./nowhere'] })).events).toEqual([{ event: 'not_found' }]);
    // One that speaks something else.
    const { events } = await converse({ argv: ['sh', '-c', 'echo hello'] });
    expect(events).toMatchObject([{ event: 'failed' }]);
  });

  it('lets the agent end its turn when it is asked to end', async () => {
    const { client } = await begin({ prompt: 'wait' });
    let heard = '';
    client.stdout.on('data', (chunk: Buffer) => {
      heard += chunk.toString();
      if (heard.includes('waiting')) client.kill('SIGINT');
    });
    const { exitCode } = await client;
    expect([exitCode, heard.trim().split('\n').at(-1)]).toEqual([
      0,
      JSON.stringify({ event: 'ended', stopReason: 'cancelled', inputTokens: 0, outputTokens: 0 }),
    ]);
  });
});
