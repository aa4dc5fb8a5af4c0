import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
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
import { keepSeen } from './seen.ts';
import type { Kind, Seen } from './seen.ts';
import { watched } from './silence.ts';
import type { Attempts } from './silence.ts';

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
/** They take their time on a machine that has other work. */
const limits = { timeout_ms: 400_000, memory_bytes: 2_048 * 2 ** 20, process_count: 512, workspace_bytes: 256 * 2 ** 20 };
/** With a rule the proxy is there, and tells whom it refused. */
const network = [{ host: 'allowed.example' }];

let server: ScriptedServer;
let worker: TestWorker;
let heard: ((attempts: Attempts) => void) | undefined;
const { story, landed, killed, goingOn } = agentStories(() => server);
const seen: Partial<Record<Kind, Partial<Seen>>> = {};
const note = (kind: Kind, part: Partial<Seen>) => void (seen[kind] = { ...seen[kind], ...part });

beforeAll(async () => {
  for (const { kind } of agents) await installAgent(kind, { folder, clock: systemClock, onStep: () => {} });
  server = await startScriptedServer();
  const own = [createClaudeAgent(installs), createCodexAgent(installs), createPiAgent(installs), createOtherAcpAgent()];
  const all = [...own, ...acpKinds.map(kind => createAcpAgent(kind, installs))];
  worker = await startWorker(server, { slots: 8, agents: all.map(agent => watched(agent, () => heard)) });
}, 900_000);
afterAll(async () => {
  keepSeen(seen);
  await worker.stop({ graceMs: 0 });
  await server.close();
});

/** What the work of `work` tried to reach beside the gateway. */
async function othersOf(work: () => Promise<Story>): Promise<{ readonly told: Story; readonly others: readonly string[] }> {
  const attempts: Attempts[] = [];
  heard = each => void attempts.push(each);
  try {
    const told = await work();
    expect(attempts.length).toBeGreaterThan(0);
    const counted = attempts.flatMap(each => Object.entries(each)).filter(([, count]) => count > 0);
    const refused = told.run.events
      .filter(({ type }) => type === 'network.refused')
      .map(({ payload }) => String(payload['host']));
    return { told, others: [...counted.map(([what, count]) => `${what} ${count}`), ...refused] };
  } finally {
    heard = undefined;
  }
}

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

describe.each(agents)('$kind', agent => {
  const { kind } = agent;

  it('works on a whole ticket, and asks nobody but the gateway', async () => {
    const repository = makeRepository(ticketFiles);
    const { told, others } = await othersOf(() => story(agent, ticketSteps, { repository, limits, network }));
    expect(told.run.failure).toBeUndefined();
    expect(others).toEqual([]);
    const log = told.run.log.toString();
    expect(log).toMatch(/41\n +it is red\n[^]*it is green\n[^]*Mend the answer\n/);
    expect(told.gateway.reports).toEqual(['submit_result {"status":"done","summary":"Mended"}']);
    expect((await reviewOf(told)).result?.checks).toMatchObject([{ exit_code: 0 }]);
    const [, input = '0'] = /\((\d+) tokens in, /.exec(log) ?? [];
    note(kind, {
      ...{ version: packages[kind].version, node: packages[kind].node ?? 'none', others },
      reports: told.gateway.heard.some(line => line.includes('/gateway/report/')) ? 'skep-report' : 'MCP',
      tokens: Number(input) === 0 ? 'none' : Number(input) < ticketSteps.length * 100 ? 'the last' : 'all',
    });
  });

  it('is not believed: what it hands in as done is found red', async () => {
    const steps = [
      { shell: 'echo 43 > answer.txt' },
      { report: 'submit_result', args: { status: 'done', summary: 'All tests pass' } },
      { say: 'All tests pass.' },
    ];
    const told = await story(agent, steps, { repository: makeRepository(ticketFiles), limits });
    expect(told.run.failure).toBeUndefined();
    expect((await reviewOf(told)).result?.checks).toMatchObject([{ exit_code: 1 }]);
  });

  it('ends, and not well, where the provider stays busy', async () => {
    const busy = Array.from({ length: 200 }, () => ({ status: 529, message: 'Too busy' }));
    const { run, gateway } = await story(agent, [{ shell: 'echo half > half.txt' }, ...busy], { limits });
    expect(run.failure?.class).toBe('agent_failed');
    note(kind, { busyCalls: gateway.asked.length - 1 });
  });

  it('comes to an end where the tools of MCP are gone after its start', async () => {
    const steps = [{ shell: 'echo done > done.txt' }, { say: 'Done.' }];
    const told = await story(agent, steps, { limits, without: /\/gateway\/mcp$/ });
    expect([undefined, 'agent_failed']).toContain(told.run.failure?.class);
    const isDone = told.run.failure === undefined;
    expect(isDone ? git(landed(told), 'show', 'result:done.txt') : 'done').toBe('done');
    note(kind, { withoutMcp: isDone ? 'goes on' : 'fails' });
  });

  it('is killed, and the next attempt has its work', async () => {
    const first = await killed(agent, '16451', { limits });
    expect(first.run.failure?.class).toBe('agent_died');
    const second = await goingOn(first, agent, { limits });
    expect(second.run.failure).toBeUndefined();
    expect(git(landed(second), 'show', 'result:half.txt')).toBe('half');
    note(kind, { goesOn: second.gateway.asked[0]?.text.includes('echo half > half.txt') === true });
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
});
