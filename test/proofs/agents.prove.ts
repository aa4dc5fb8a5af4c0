import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { createClaudeAgent } from '../../src/providers/agents/claude/index.ts';
import { createCodexAgent } from '../../src/providers/agents/codex/index.ts';
import { installAgent } from '../../src/providers/agents/install/install.ts';
import { createInstalls } from '../../src/providers/agents/install/installs.ts';
import { createPiAgent } from '../../src/providers/agents/pi/index.ts';
import { startScriptedServer } from '../harness/scripted-server.ts';
import type { QueuedRun, ScriptedServer } from '../harness/scripted-server.ts';
import { git, makeRepository, processesWith, startWorker, temporaryFolder } from '../harness/worker.ts';
import type { TestWorker } from '../harness/worker.ts';
import { agentStories } from './agent-stories.ts';
import { hostileSettings } from './hostile-settings.ts';

/** Installed once for all proofs: what is there already is what was written down, so it need not be fetched again. */
const folder = process.env['SKEP_AGENTS'] ?? join(import.meta.dirname, '../../.cache/agents');
const installs = createInstalls(folder);

let server: ScriptedServer;
let worker: TestWorker;

beforeAll(async () => {
  for (const kind of new Set(agents.map(({ kind }) => kind)))
    await installAgent(kind, { folder, clock: systemClock, onStep: () => {} });
  server = await startScriptedServer();
  worker = await startWorker(server, {
    agents: [createClaudeAgent(installs), createCodexAgent(installs), createPiAgent(installs)],
  });
}, 900_000);
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

const agents = [
  { kind: 'claude', model: 'anthropic/claude-sonnet-4-5', path: '/gateway/v1/messages' },
  { kind: 'codex', model: 'recorded/demo', path: '/gateway/v1/responses' },
  { kind: 'pi', model: 'recorded/demo', path: '/gateway/v1/chat/completions' },
  { kind: 'pi', model: 'anthropic/claude-sonnet-4-5', path: '/gateway/v1/messages' },
  { kind: 'pi', model: 'openai/gpt-5', path: '/gateway/v1/responses' },
  { kind: 'pi', model: 'gemini/gemini-2.5-pro', path: '/gateway/v1beta/models/gemini/gemini-2.5-pro:streamGenerateContent' },
] as const;
const { begin, story, landed, killed, goingOn } = agentStories(() => server);

describe.each(agents)('$kind with $model', ({ path, ...agent }) => {
  it('works on a ticket, and is seen to', async () => {
    const told = await story(agent, [
      { shell: 'cat README.md; env | grep -c ^SKEP_RUN_TOKEN=skeprun_' },
      { shell: 'echo done > done.txt; exit 3' },
      { report: 'submit_result', args: { status: 'done', summary: 'Added it' } },
      { say: 'All of it is done.' },
    ]);
    expect(told.run.failure).toBeUndefined();
    expect(git(landed(told), 'show', 'result:done.txt')).toBe('done');
    expect(told.gateway.reports).toEqual(['submit_result {"status":"done","summary":"Added it"}']);
    const log = told.run.log.toString();
    expect(log).toContain('$ cat README.md; env | grep -c ^SKEP_RUN_TOKEN=skeprun_\n  hello\n  1\n');
    expect(log).toContain('$ echo done > done.txt; exit 3\n');
    expect(log).toContain('All of it is done.\n');
    expect(log.replace('=skeprun_', '')).not.toContain('skeprun_');
    const [first] = told.gateway.asked;
    expect(first?.model).toBe(agent.model);
    expect(first?.text).toContain(`Ticket ${told.run.ticketId}: Add a file`);
    expect(first?.text).toContain('it is there');
    const paths = told.gateway.heard.filter(line => !/mcp|report/.test(line)).map(line => line.split(' ')[1]);
    expect([...new Set(paths)]).toEqual([path]);
    expect(told.gateway.heard.every(line => / skeprun_\S+$/.test(line))).toBe(true);
  });

  it.each([
    [402, 'The budget of the run is spent'],
    [403, 'This model is not for you'],
    [422, 'The recording expected something else'],
  ])('fails with the words of the gateway at %i', async (status, message) => {
    const refusals = Array.from({ length: 20 }, () => ({ status, message }));
    const { run } = await story(agent, refusals);
    expect(run.failure?.class).toBe('agent_failed');
    expect(run.failure?.message).toContain(String(status));
    expect(run.failure?.message).toContain(message);
    expect(run.bundle).toBeUndefined();
  });

  it.each([429, 500, 529])('fails at %i, and not as a success', async status => {
    const { run, gateway } = await story(
      agent,
      Array.from({ length: 20 }, () => ({ status, message: 'Too busy' })),
    );
    expect(run.failure?.class).toBe('agent_failed');
    expect(gateway.asked.length).toBeLessThan(8);
  });

  it('takes a stream that is cut off for no end', async () => {
    const { run } = await story(
      agent,
      Array.from({ length: 20 }, () => ({ cut: 'I think that' })),
    );
    expect(run.failure?.class).toBe('agent_failed');
  });

  it('is parked with its work when the budget is spent in the middle', async () => {
    const halt = { kind: 'budget', message: 'The budget is spent' } as const;
    const spent = Array.from({ length: 20 }, () => ({ status: 402, message: 'The budget is spent' }));
    const told = begin(agent, [{ shell: 'echo half > half.txt' }, ...spent], {
      onAsked: count => void (count === 2 && told.run.halt(halt)),
    });
    await server.until(() => told.run.state === 'parked');
    expect(git(landed(told), 'show', 'result:half.txt')).toBe('half');
  });

  it('ends when its run is taken away in the middle of a call', async () => {
    const told = begin(agent, [{ hang: true }], { onAsked: () => told.run.takeBack(), leaseMs: 1_000 });
    await expect
      .poll(() => worker.changes.some(change => change.kind === 'ended' && change.claimed.run.id === told.run.id), {
        timeout: 15_000,
      })
      .toBe(true);
    expect(processesWith('/skep/inside/host.mjs')).toEqual([]);
  });

  it('ends when its run is taken away in the middle of a command', async () => {
    const mark = '27182';
    const told = begin(agent, [{ shell: `echo begun; sleep ${mark}` }], { leaseMs: 1_000 });
    await expect.poll(() => processesWith(mark).length, { timeout: 15_000 }).toBeGreaterThan(0);
    told.run.takeBack();
    await expect.poll(() => processesWith(mark).length, { timeout: 15_000 }).toBe(0);
  });

  it('goes on with its conversation in another sandbox when it was killed in the middle of a command', async () => {
    const mark = '16449';
    const first = await killed(agent, mark);
    expect(first.run.failure?.class).toBe('agent_died');
    expect(git(landed(first), 'show', 'result:half.txt')).toBe('half');
    expect(first.run.artifacts.get('conversation')?.length).toBeGreaterThan(100);

    const second = await goingOn(first, agent);
    expect(second.run.failure).toBeUndefined();
    const [asked] = second.gateway.asked;
    expect(asked?.text).toContain('echo half > half.txt');
    // Claude Code leaves a call out that had no answer.
    expect(asked?.text.includes(`sleep ${mark}`)).toBe(agent.kind !== 'claude');
    expect(asked?.text).toContain('You were broken off in the middle of your work');
    expect(asked?.text).toContain(`Ticket ${first.run.ticketId}: Add a file`);
    expect(second.run.log.toString()).toContain('$ cat half.txt; echo done > done.txt\n  half\n');
    expect(git(landed(second), 'show', 'result:done.txt')).toBe('done');
  });

  it('begins anew where the model does not take the conversation any more', async () => {
    const first = await killed(agent, '26459');
    const second = await goingOn(first, agent, { before: [{ status: 400, message: 'The conversation is too long' }] });
    expect(second.run.failure).toBeUndefined();
    expect(second.run.log.toString()).toContain('could not be gone on with; a new one begins');
    const [before, after] = second.gateway.asked;
    expect(before?.text).toContain('You were broken off');
    expect(after?.text).not.toContain('You were broken off');
    expect(after?.text).toContain('How to end');
  });

  it('begins anew where the conversation cannot be gone on with', async () => {
    const first = await killed(agent, '26457');
    spoil(first.run);
    const second = await goingOn(first, agent);
    expect(second.run.failure).toBeUndefined();
    expect(second.gateway.asked[0]?.text).not.toContain('echo half > half.txt');
    expect(second.gateway.asked[0]?.text).toContain('Add a file');
    expect(second.run.log.includes('could not be gone on with; a new one begins')).toBe(agent.kind !== 'pi');
  });

  it('is changed by nothing that the repository says', async () => {
    const repository = makeRepository(hostileSettings);
    const told = await story(agent, [{ shell: 'ls -A; echo x > x; ls -A $HOME /tmp' }, { say: 'Done.' }], { repository });
    expect(told.run.failure).toBeUndefined();
    const [first] = told.gateway.asked;
    expect(first?.model).toBe(agent.model);
    expect(first?.text).not.toMatch(/evil instructions/);
    expect(first?.tools).not.toMatch(/evil|web_search/);
    // What the project asks of whoever works on it is not for Skep to hide: codex is told to read it, pi reads it by itself.
    expect(first?.text).toContain(agent.kind === 'pi' ? 'Use tabs in this project' : 'Read AGENTS.md');
    expect(git(landed(told), 'diff', '--name-only', 'HEAD', 'result')).toBe('x');
    expect(told.run.log.toString()).not.toMatch(/evil-ran/);
  });
});

/** Leaves a conversation that no agent can read. */
function spoil(run: QueuedRun): void {
  const at = temporaryFolder();
  const files = [
    'rollout-2026-01-01T00-00-00-01980000-0000-7000-8000-000000000000.jsonl',
    '-work/736b6570-0000-4000-8000-000000000001.jsonl',
  ];
  mkdirSync(join(at, '-work'));
  for (const file of files) writeFileSync(join(at, file), 'no line of a conversation\n');
  const packed = execFileSync('tar', ['--create', '--gzip', '--file=-', '.'], { cwd: at });
  (run.artifacts as Map<string, Buffer>).set('conversation', packed);
}

it('no install stands half where it was killed', () => {
  const elsewhere = temporaryFolder();
  mkdirSync(join(elsewhere, 'pi/0.74.2/node_modules'), { recursive: true });
  expect(createInstalls(elsewhere).find('pi')).toBeUndefined();
});
