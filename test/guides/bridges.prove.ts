import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agent as agentSettings } from '../../contract/projects.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createOtherAcpAgent } from '../../src/providers/agents/acp/index.ts';
import { installAgent } from '../../src/providers/agents/install/install.ts';
import { createInstalls } from '../../src/providers/agents/install/installs.ts';
import { installableOf } from '../../src/providers/agents/install/packages.ts';
import { readTemplate } from '../../src/support/templates/document.ts';
import { agentStories, ticketFiles, ticketSteps } from '../proofs/agent-stories.ts';
import { startScriptedServer } from '../harness/scripted-server.ts';
import type { ScriptedServer } from '../harness/scripted-server.ts';
import { git, makeRepository, processesWith, startWorker } from '../harness/worker.ts';
import type { TestWorker } from '../harness/worker.ts';

// Claude Code and Codex by the generic adapter, set up by the templates of demo/bridges as they stand, for a scripted model.

/** The bridge of Codex has a title made when the first turn is over, by this model and no other; no gateway of Skep's knows it for a run of another. */
const titleModel = 'gpt-5.6-luna';
const folder = process.env['SKEP_AGENTS'] ?? join(import.meta.dirname, '../../.cache/agents');
const limits = { timeout_ms: 400_000, memory_bytes: 2_048 * 2 ** 20, process_count: 512, workspace_bytes: 256 * 2 ** 20 };
const templates = ['claude-agent-acp', 'codex-acp'].map(file => {
  const source = readFileSync(join(import.meta.dirname, `../../demo/bridges/${file}.yaml`), 'utf8');
  const { name, agent } = readTemplate({ file, source });
  const settings = agentSettings.parse(agent);
  if (settings.kind !== 'acp') throw new Error(`${file} is no template of an agent of the protocol`);
  return { name, agent: settings };
});

let server: ScriptedServer;
let worker: TestWorker;
const { begin, story, landed, killed, goingOn } = agentStories(() => server);

beforeAll(async () => {
  for (const { agent } of templates) {
    const bridge = installableOf(agent);
    if (bridge !== undefined) await installAgent(bridge, { folder, clock: systemClock, onStep: () => {} });
  }
  server = await startScriptedServer();
  worker = await startWorker(server, { agents: [createOtherAcpAgent(createInstalls(folder))] });
}, 900_000);
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

describe.each(templates)('$name', ({ agent }) => {
  it('works on a whole ticket, and asks the gateway alone for its model', async () => {
    const told = await story(agent, ticketSteps, { repository: makeRepository(ticketFiles), limits });
    expect(told.run.failure).toBeUndefined();
    expect(git(landed(told), 'show', 'result:answer.txt')).toBe('42');
    expect(told.gateway.reports).toEqual(['submit_result {"status":"done","summary":"Mended"}']);
    const log = told.run.log.toString();
    expect(log).toMatch(/41\n +it is red\n[^]*it is green\n[^]*Mend the answer\n/);
    expect(log).toContain('All of it is done.\n');
    expect(new Set(told.gateway.asked.map(({ model }) => model).filter(model => model !== titleModel))).toEqual(
      new Set([agent.model]),
    );
  });

  it('goes on with its conversation in another sandbox when it was killed', async () => {
    const first = await killed(agent, agent.command[0] === 'codex-acp' ? '16451' : '16452', { limits });
    expect(first.run.failure?.class).toBe('agent_died');
    const second = await goingOn(first, agent, { limits });
    expect(second.run.failure).toBeUndefined();
    const [asked] = second.gateway.asked;
    expect(asked?.text).toContain('echo half > half.txt');
    expect(asked?.text).toContain('You were broken off in the middle of your work');
    expect(git(landed(second), 'show', 'result:done.txt')).toBe('done');
  });

  it('stops with the words of the gateway, and leaves no commit', async () => {
    const refusals = Array.from({ length: 20 }, () => ({ status: 402, message: 'The budget of the run is spent' }));
    const { run } = await story(agent, [{ shell: 'cat README.md' }, ...refusals], { limits });
    expect(run.failure?.class).toBe('agent_failed');
    expect(run.failure?.message).toContain('The budget of the run is spent');
    expect(run.bundle).toBeUndefined();
  });

  it('ends when its run is taken away in the middle of a command', async () => {
    const mark = agent.command[0] === 'codex-acp' ? '27184' : '27185';
    const told = begin(agent, [{ shell: `echo begun; sleep ${mark}` }], { limits });
    await expect.poll(() => processesWith(mark).length, { timeout: 120_000 }).toBeGreaterThan(0);
    told.run.takeBack();
    await expect.poll(() => processesWith(mark).length, { timeout: 60_000 }).toBe(0);
  });
});
