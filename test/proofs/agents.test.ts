import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import { createClaudeAgent } from '../../src/providers/agents/claude/index.ts';
import { createCodexAgent } from '../../src/providers/agents/codex/index.ts';
import { installAgent } from '../../src/providers/agents/install/install.ts';
import { createInstalls } from '../../src/providers/agents/install/installs.ts';
import { createPiAgent } from '../../src/providers/agents/pi/index.ts';
import { startScriptedServer } from '../harness/scripted-server.ts';
import type { ScriptedServer } from '../harness/scripted-server.ts';
import { git, makeRepository, startWorker } from '../harness/worker.ts';
import type { TestWorker } from '../harness/worker.ts';
import { agentStories, ticketFiles, ticketSteps } from './agent-stories.ts';

/** Installed once; the first time this needs the npm registry. All agents and all that can become of them: `npm run prove -- agent acp`. */
const folder = process.env['SKEP_AGENTS'] ?? join(import.meta.dirname, '../../.cache/agents');
const installs = createInstalls(folder);
const agents = [
  { kind: 'claude', model: 'anthropic/claude-sonnet-4-5' },
  { kind: 'codex', model: 'recorded/demo' },
  { kind: 'pi', model: 'recorded/demo' },
] as const;

let server: ScriptedServer;
let worker: TestWorker;
const { story, landed } = agentStories(() => server);

beforeAll(async () => {
  for (const { kind } of agents) await installAgent(kind, { folder, clock: systemClock, onStep: () => {} });
  server = await startScriptedServer();
  worker = await startWorker(server, {
    agents: [createClaudeAgent(installs), createCodexAgent(installs), createPiAgent(installs)],
  });
}, 900_000);
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

it.each(agents)('$kind itself works on a whole ticket in a sandbox', async agent => {
  const told = await story(agent, ticketSteps, { repository: makeRepository(ticketFiles), limits: { timeout_ms: 50_000 } });
  expect(told.run.failure).toBeUndefined();
  expect(git(landed(told), 'show', 'result:answer.txt')).toBe('42');
  expect(told.run.log.toString()).toMatch(/41\n +it is red\n[^]*it is green\n[^]*Mend the answer\n/);
  expect(told.gateway.reports).toEqual(['submit_result {"status":"done","summary":"Mended"}']);
});

const limits = { timeout_ms: 50_000 };
const look = { shell: 'cat answer.txt' };
const refusals = Array.from({ length: 20 }, () => ({ status: 400, message: 'The prompt is longer than the model takes' }));
const cuts = Array.from({ length: 20 }, () => ({ cut: 'I think that' }));

it('claude itself fails where its model refuses what it is asked, and commits nothing', async () => {
  const { run } = await story(agents[0], [look, ...refusals], { limits });
  expect(run.failure).toMatchObject({
    class: 'agent_failed',
    message: expect.stringContaining('longer than the model') as string,
  });
  expect(run.bundle).toBeUndefined();
});

it('codex itself fails where its tools are gone, and asks no model', async () => {
  const { run, gateway } = await story(agents[1], [look, { say: 'Done.' }], { limits, tools: 'gone' });
  expect(run.failure?.class).toBe('agent_failed');
  expect([run.bundle, gateway.asked, [...new Set(gateway.refused)]]).toEqual([undefined, [], ['MCP']]);
});

it('pi itself takes an answer that breaks off for no end', async () => {
  const { run } = await story(agents[2], [look, ...cuts], { limits });
  expect(run.failure?.class).toBe('agent_failed');
  expect(run.bundle).toBeUndefined();
});
