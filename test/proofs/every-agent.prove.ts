import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { transcriptEvent } from '../../contract/talk/transcript.ts';
import type { TranscriptEvent, TranscriptType } from '../../contract/talk/transcript.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { acpKinds } from '../../src/providers/agents/acp/agents.ts';
import { createAcpAgent, createOtherAcpAgent } from '../../src/providers/agents/acp/index.ts';
import { createClaudeAgent } from '../../src/providers/agents/claude/index.ts';
import { createCodexAgent } from '../../src/providers/agents/codex/index.ts';
import { installAgent } from '../../src/providers/agents/install/install.ts';
import { createInstalls } from '../../src/providers/agents/install/installs.ts';
import { packages } from '../../src/providers/agents/install/packages.ts';
import { createPiAgent } from '../../src/providers/agents/pi/index.ts';
import { scriptedGateway } from '../harness/scripted-gateway.ts';
import type { ScriptedGateway } from '../harness/scripted-gateway.ts';
import { startScriptedServer } from '../harness/scripted-server.ts';
import type { QueuedRun, ScriptedServer } from '../harness/scripted-server.ts';
import { git, makeRepository, script, startWorker, temporaryFolder } from '../harness/worker.ts';
import type { TestWorker } from '../harness/worker.ts';
import { agentStories, ticketFiles, ticketSteps } from './agent-stories.ts';
import type { Story } from './agent-stories.ts';
import { kinds, note } from './seen.ts';
import { watchSandboxes, wordsOf } from './silence.ts';

/** The C library looks into no file for names only: then it asks for them, and is counted. */
vi.mock('../../src/providers/sandboxes/local/folder.ts', async original => {
  const real: typeof import('../../src/providers/sandboxes/local/folder.ts') = await original();
  const etcContent = real.etcContent.map(([name, text]) => [name, text.replace('hosts: files', 'hosts: files dns')] as const);
  return { ...real, etcContent };
});

const folder = process.env['SKEP_AGENTS'] ?? join(import.meta.dirname, '../../.cache/agents');
const installs = createInstalls(folder);
const agents = [
  { kind: 'claude', model: 'anthropic/claude-sonnet-4-5' },
  { kind: 'codex', model: 'recorded/demo' },
  { kind: 'gemini', model: 'gemini/gemini-2.5-pro' },
  { kind: 'opencode', model: 'recorded/demo' },
  { kind: 'pi', model: 'recorded/demo' },
  { kind: 'qwen', model: 'recorded/demo' },
] as const;
const chosen = agents.filter(({ kind }) => kinds.includes(kind));
/** They take their time on a machine that has other work. */
const limits = { timeout_ms: 400_000, memory_bytes: 2_048 * 2 ** 20, process_count: 512, workspace_bytes: 256 * 2 ** 20 };
/** With a rule the proxy is there, and tells whom it refused. */
const network = [{ host: 'allowed.example' }];

let server: ScriptedServer;
let worker: TestWorker;
const silence = watchSandboxes();
const { story, landed } = agentStories(() => server);

beforeAll(async () => {
  for (const { kind } of agents) await installAgent(kind, { folder, clock: systemClock, onStep: () => {} });
  server = await startScriptedServer();
  const own = [createClaudeAgent(installs), createCodexAgent(installs), createPiAgent(installs), createOtherAcpAgent()];
  worker = await startWorker(server, { slots: 8, agents: [...own, ...acpKinds.map(kind => createAcpAgent(kind, installs))] });
  silence.add(process.pid);
}, 900_000);
afterAll(async () => {
  silence.close();
  await worker.stop({ graceMs: 0 });
  await server.close();
});

/** What the work of `work` tried to reach beside the gateway. */
async function othersOf(work: () => Promise<Story>): Promise<{ readonly told: Story; readonly others: readonly string[] }> {
  silence.heard();
  const told = await work();
  const heard = silence.heard();
  expect(heard.length).toBeGreaterThan(0);
  const refused = told.run.events.filter(({ type }) => type === 'network.refused').map(({ payload }) => String(payload['host']));
  return { told, others: [...wordsOf(heard), ...refused] };
}

/** A story of which nobody else hears. */
async function alone(...given: Parameters<typeof story>): Promise<Story> {
  const [agent, steps, task] = given;
  const { told, others } = await othersOf(() => story(agent, steps, { limits, network, ...task }));
  expect(others).toEqual([]);
  return told;
}

/** What an agent does not tell, though the model did it. */
const untold: Readonly<Partial<Record<string, readonly string[]>>> = {
  gemini: ['what calls were given'],
};

type EventOf<T extends TranscriptType> = Extract<TranscriptEvent, { type: T }>;

/** What the checks of the project say of what an agent handed in. */
async function reviewOf({ run, repository }: Story): Promise<QueuedRun> {
  const bundle = join(temporaryFolder(), 'work.bundle');
  writeFileSync(bundle, run.bundle ?? '');
  git(repository, 'fetch', '--quiet', bundle, `skep/${run.ticketId}:work`);
  const commit = git(repository, 'rev-parse', 'work');
  const checks = [{ name: 'check', command: ['./check.sh'] }];
  const review = server.queue({ subject: 'review', agent: null, repository, commit, checks });
  await server.until(() => review.state === 'submitted' || review.state === 'failed');
  return review;
}

it('an agent that asks others is seen to', async () => {
  const lines = ['getent hosts a.example.org', 'curl -sS -m 5 https://b.example.org', 'echo x > x'];
  const more = ["curl -sS -m 5 --noproxy '*' http://192.0.2.1/", 'curl -sS http://127.0.0.1:9/'];
  const repository = makeRepository({ 'agent.sh': script(...more, ...lines) });
  const agent = { kind: 'acp' as const, model: 'recorded/demo', command: ['./agent.sh'] };
  const { others } = await othersOf(() => story(agent, [], { repository, network }));
  expect(others).toEqual(['unrouted 1', expect.stringMatching(/^datagrams \d+$/), 'refused 1', 'b.example.org']);
});

describe.each(chosen)('$kind', agent => {
  const { kind } = agent;

  it('works on a whole ticket, and asks nobody but the gateway', async () => {
    const told = await alone(agent, ticketSteps, { repository: makeRepository(ticketFiles) });
    expect(told.run.failure).toBeUndefined();
    const log = told.run.log.toString();
    expect(log).toMatch(/41\n +it is red\n[^]*it is green\n[^]*Mend the answer\n/);
    expect(told.gateway.reports).toEqual(['submit_result {"status":"done","summary":"Mended"}']);
    expect((await reviewOf(told)).result?.checks).toMatchObject([{ exit_code: 0 }]);
    const [, input = '0'] = /\((\d+) tokens in, /.exec(log) ?? [];
    const { node = 'none' } = packages[kind];
    note(kind, {
      others: 'nobody',
      node: node === 'machine' ? 'the machine’s' : node === 'none' ? node : `${node}, its own`,
      reports: told.gateway.heard.some(line => line.includes('/gateway/report/')) ? '`skep-report`' : 'MCP',
      tokens: Number(input) === 0 ? 'none' : Number(input) < ticketSteps.length * 100 ? 'the last answer' : 'all answers',
    });
  });

  it('tells what it does, event by event', async () => {
    const { run } = await alone(agent, [
      { shell: 'echo spoken; exit 3', thought: 'First I look around.' },
      { write: 'new.txt', content: 'new\n' },
      { say: 'All of it is done.', thought: 'That was all.' },
    ]);
    expect(run.failure).toBeUndefined();
    const events = run.transcript
      .toString()
      .split('\n')
      .filter(Boolean)
      .map(line => transcriptEvent.parse(JSON.parse(line)));
    const of = <T extends TranscriptType>(type: T) => events.filter((event): event is EventOf<T> => event.type === type);
    const line = 'echo spoken; exit 3';
    const shell = of('tool_call').find(({ input, title }) => `${input} ${title}`.includes(line));
    expect(shell).toBeDefined();
    expect(of('message').at(-1)?.text).toContain('All of it is done.');
    const told = {
      'what calls were given': shell?.input.includes(line) === true,
      'what they answered': of('tool_result').some(({ call, output }) => call === shell?.call && output.includes('spoken')),
      'changed files': of('file_change').some(({ path, change }) => path === 'new.txt' && /added|modified/.test(change)),
      tokens: of('usage').some(({ input_tokens: count }) => count > 0),
      thoughts: of('thought').some(({ text }) => text.includes('First I look around.')),
    };
    const names = (is: boolean): string =>
      Object.keys(told)
        .filter(name => told[name as keyof typeof told] === is)
        .join(', ');
    expect(names(false)).toBe((untold[kind] ?? []).join(', '));
    note(kind, { told: `messages, calls, ${names(true)}${names(false) === '' ? '' : `; no: ${names(false)}`}` });
  });

  it('is not believed: what it hands in as done is found red', async () => {
    const steps = [
      { shell: 'echo 43 > answer.txt' },
      { report: 'submit_result', args: { status: 'done', summary: 'All tests pass' } },
      { say: 'All tests pass.' },
    ];
    const told = await alone(agent, steps, { repository: makeRepository(ticketFiles) });
    expect(told.run.failure).toBeUndefined();
    expect((await reviewOf(told)).result?.checks).toMatchObject([{ exit_code: 1 }]);
  });

  it.each([
    ['gone', 'mcpGone'],
    ['breaking', 'mcpBroken'],
  ] as const)('comes to an end where its tools are %s', async (tools, row) => {
    const report = { report: 'submit_result', args: { status: 'done', summary: 'Done' } };
    const told = await alone(agent, [{ shell: 'echo done > done.txt' }, report, { say: 'Done.' }], { tools });
    const { refused, reports } = told.gateway;
    // It had tools, and missed them.
    expect([refused.length > 0, reports]).toEqual([true, []]);
    expect([undefined, 'agent_failed']).toContain(told.run.failure?.class);
    const isDone = told.run.failure === undefined;
    expect(isDone ? git(landed(told), 'show', 'result:done.txt') : 'done').toBe('done');
    note(kind, { [row]: isDone ? 'goes on, and its work is judged' : '`agent_failed`' });
  });
});

it('eight agents of four kinds work at once, each on its own ticket', async () => {
  const gateways = new Map<string, ScriptedGateway>();
  let release: () => void = () => {};
  // No model answers before all eight have asked.
  const all = new Promise<void>(resolve => (release = resolve));
  server.onGateway((request, response) => {
    const { authorization = '', 'x-api-key': key = '' } = request.headers;
    const token = authorization.replace('Bearer ', '') || String(key);
    const steps = [
      { shell: 'echo "$SKEP_TICKET_ID" > mine.txt' },
      { report: 'submit_result', args: { status: 'done', summary: 'Mine' } },
      { say: 'Done.' },
    ];
    const gateway = gateways.get(token) ?? scriptedGateway(steps);
    if (token !== '') gateways.set(token, gateway);
    const isCall = request.method === 'POST' && /\/v1\//.test(request.url ?? '');
    if (!isCall) return gateway.listener(request, response);
    asking.add(token);
    if (asking.size === 8) release();
    void all.then(() => gateway.listener(request, response));
  });
  const asking = new Set<string>();
  const four = agents.filter(({ kind }) => ['claude', 'codex', 'opencode', 'pi'].includes(kind));
  const stories = [...four, ...four].map(agent => {
    const repository = makeRepository({ 'README.md': 'hello\n' });
    return { repository, gateway: scriptedGateway([]), run: server.queue({ repository, agent, limits }) };
  });
  await server.until(() => stories.every(({ run }) => ['submitted', 'failed', 'lost', 'parked'].includes(run.state)));
  expect(stories.map(({ run }) => run.failure)).toEqual(stories.map(() => undefined));
  expect(stories.map(told => git(landed(told), 'show', 'result:mine.txt'))).toEqual(stories.map(({ run }) => run.ticketId));
  expect([...gateways.values()].map(({ reports }) => reports.length)).toEqual(stories.map(() => 1));
  expect(wordsOf(silence.heard())).toEqual([]);
});
