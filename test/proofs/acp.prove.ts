import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { acpKinds } from '../../src/providers/agents/acp/agents.ts';
import { createAcpAgent, createOtherAcpAgent } from '../../src/providers/agents/acp/index.ts';
import { installAgent } from '../../src/providers/agents/install/install.ts';
import { createInstalls } from '../../src/providers/agents/install/installs.ts';
import { startScriptedServer } from '../harness/scripted-server.ts';
import type { ScriptedServer } from '../harness/scripted-server.ts';
import { git, makeRepository, processesWith, startWorker } from '../harness/worker.ts';
import type { TestWorker } from '../harness/worker.ts';
import { agentStories } from './agent-stories.ts';
import { hostileSettings } from './hostile-settings.ts';

/** Installed once for all proofs: what is there already is what was written down, so it need not be fetched again. */
const folder = process.env['SKEP_AGENTS'] ?? join(import.meta.dirname, '../../.cache/agents');
const installs = createInstalls(folder);

let server: ScriptedServer;
let worker: TestWorker;
const { begin, story, landed, killed, goingOn } = agentStories(() => server);

beforeAll(async () => {
  for (const kind of acpKinds) await installAgent(kind, { folder, clock: systemClock, onStep: () => {} });
  server = await startScriptedServer();
  worker = await startWorker(server, {
    agents: [...acpKinds.map(kind => createAcpAgent(kind, installs)), createOtherAcpAgent()],
  });
}, 900_000);
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

const chat = '/gateway/v1/chat/completions';
const agents = [
  {
    agent: { kind: 'gemini', model: 'gemini/gemini-2.5-pro' },
    path: '/gateway/v1beta/models/gemini/gemini-2.5-pro:streamGenerateContent',
  },
  { agent: { kind: 'opencode', model: 'recorded/demo' }, path: chat },
  { agent: { kind: 'qwen', model: 'recorded/demo' }, path: chat },
] as const;
/** They take their time to start on a machine that has other work. */
const limits = { timeout_ms: 120_000, memory_bytes: 2_048 * 2 ** 20, process_count: 512, workspace_bytes: 256 * 2 ** 20 };

describe.each(agents)('$agent.kind', ({ agent, path }) => {
  it('works on a ticket, and is seen to', async () => {
    const steps = [
      { shell: 'cat README.md; env | grep -c ^SKEP_RUN_TOKEN=skeprun_' },
      { shell: 'echo done > done.txt; exit 3' },
      { report: 'submit_result', args: { status: 'done', summary: 'Added it' } },
      { say: 'All of it is done.' },
    ];
    const told = await story(agent, steps, { limits });
    expect(told.run.failure).toBeUndefined();
    expect(git(landed(told), 'show', 'result:done.txt')).toBe('done');
    expect(told.gateway.reports).toEqual(['submit_result {"status":"done","summary":"Added it"}']);
    const log = told.run.log.toString();
    expect(log).toContain('$ cat README.md; env | grep -c ^SKEP_RUN_TOKEN=skeprun_\n  hello\n  1\n');
    expect(log).toContain('$ echo done > done.txt; exit 3\n');
    expect(log).toContain('All of it is done.\n');
    expect(log.replace('=skeprun_', '')).not.toContain('skeprun_');
    const [first] = told.gateway.asked;
    expect([first?.model, first?.text]).toEqual([
      agent.model,
      expect.stringContaining(`Ticket ${told.run.ticketId}: Add a file`),
    ]);
    const paths = told.gateway.heard.filter(line => !/mcp|report/.test(line)).map(line => line.split(' ')[1]);
    expect([...new Set(paths)]).toEqual([path]);
    expect(told.gateway.heard.every(line => / skeprun_\S+$/.test(line))).toBe(true);
  });

  it.each([
    [402, 'The budget of the run is spent'],
    [422, 'The recording expected something else'],
  ])('stops with the words of the gateway at %i, and leaves no commit', async (status, message) => {
    const refusals = Array.from({ length: 20 }, () => ({ status, message }));
    const { run } = await story(agent, [{ shell: 'cat README.md' }, ...refusals], { limits });
    expect(run.failure?.class).toBe('agent_failed');
    expect(run.failure?.message).toContain(message);
    // opencode tells the words alone.
    expect(run.failure?.message).toContain(agent.kind === 'opencode' ? message : String(status));
    expect(run.bundle).toBeUndefined();
  });

  it('takes a stream that is cut off for no end', async () => {
    const cuts = Array.from({ length: 200 }, () => ({ cut: 'I think that' }));
    const { run } = await story(agent, cuts, { limits: { ...limits, timeout_ms: 400_000 } });
    expect(run.failure?.class).toBe('agent_failed');
  });

  it('ends when its run is taken away while the model is silent', async () => {
    const told = begin(agent, [{ hang: true }], { limits, onAsked: () => told.run.takeBack(), leaseMs: 1_000 });
    const hasEnded = () => worker.changes.some(change => change.kind === 'ended' && change.claimed.run.id === told.run.id);
    await expect.poll(hasEnded, { timeout: 120_000 }).toBe(true);
    expect(processesWith('/skep/inside/host.mjs')).toEqual([]);
  });

  it('ends when its run is taken away in the middle of a command', async () => {
    const mark = '27183';
    const told = begin(agent, [{ shell: `echo begun; sleep ${mark}` }], { limits });
    await expect.poll(() => processesWith(mark).length, { timeout: 120_000 }).toBeGreaterThan(0);
    told.run.takeBack();
    await expect.poll(() => processesWith(mark).length, { timeout: 60_000 }).toBe(0);
  });

  it('goes on with its conversation in another sandbox when it was killed', async () => {
    const first = await killed(agent, '16450', { limits });
    expect(first.run.failure?.class).toBe('agent_died');
    expect(git(landed(first), 'show', 'result:half.txt')).toBe('half');
    const second = await goingOn(first, agent, { limits });
    expect(second.run.failure).toBeUndefined();
    const [asked] = second.gateway.asked;
    expect(asked?.text).toContain('echo half > half.txt');
    expect(asked?.text).toContain('You were broken off in the middle of your work');
    expect(asked?.text).toContain(`Ticket ${first.run.ticketId}: Add a file`);
    expect(git(landed(second), 'show', 'result:done.txt')).toBe('done');
    // What it was loaded from is there for whoever comes after that one too, who finds all of it done.
    const third = await goingOn(second, agent, { limits });
    expect(third.run.failure?.class).toBe('no_changes');
    const [last] = third.gateway.asked;
    for (const said of ['echo half > half.txt', 'cat half.txt']) expect(last?.text).toContain(said);
  });

  it('is changed by nothing that the repository says', async () => {
    const repository = makeRepository(hostileSettings);
    const steps = [{ shell: 'ls -A; echo x > x; ls -A $HOME /tmp' }, { say: 'Done.' }];
    const told = await story(agent, steps, { repository, limits });
    expect(told.run.failure).toBeUndefined();
    const [first] = told.gateway.asked;
    expect(first?.model).toBe(agent.model);
    expect(first?.text).not.toMatch(/evil instructions/);
    expect(first?.tools).not.toMatch(/evil|web_search/);
    // Qwen Code brings settings of an older form to its own, though it does not read them.
    const own = agent.kind === 'qwen' ? ['.qwen/settings.json'] : [];
    expect(git(landed(told), 'diff', '--name-only', 'HEAD', 'result').split('\n')).toEqual([...own, 'x']);
    expect(told.run.log.toString()).not.toMatch(/evil-ran/);
  });
});
