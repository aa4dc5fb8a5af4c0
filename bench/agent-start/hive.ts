import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { eventPage } from '../../contract/events.ts';
import { runList } from '../../contract/runs.ts';
import { ticket } from '../../contract/tickets.ts';
import { tokenCreated } from '../../contract/tokens.ts';
import { type Client, createClient } from '../../src/client/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { acpKinds } from '../../src/providers/agents/acp/agents.ts';
import { createAcpAgent } from '../../src/providers/agents/acp/index.ts';
import { createClaudeAgent } from '../../src/providers/agents/claude/index.ts';
import { createCodexAgent } from '../../src/providers/agents/codex/index.ts';
import { createExecAgent } from '../../src/providers/agents/exec.ts';
import { installAgent } from '../../src/providers/agents/install/install.ts';
import { createInstalls } from '../../src/providers/agents/install/installs.ts';
import type { InstalledKind } from '../../src/providers/agents/install/packages.ts';
import { createPiAgent } from '../../src/providers/agents/pi/index.ts';
import { createLocalSandboxes } from '../../src/providers/sandboxes/local/index.ts';
import { createWorker } from '../../src/worker/index.ts';
import { scriptedGateway } from '../../test/harness/scripted-gateway.ts';
import type { Stage } from '../harness/bench.ts';
import { temporaryHome } from '../harness/place.ts';
import { startServer } from '../harness/processes.ts';
import { type Moments, note, now, observed } from './moments.ts';

const endMs = 300_000;
/** Installed once for all measurements. */
const agentsFolder = process.env['SKEP_AGENTS'] ?? join(import.meta.dirname, '../../.cache/agents');
export const installs = createInstalls(agentsFolder);
export const installedAgents = [
  ...[createClaudeAgent(installs), createCodexAgent(installs), createPiAgent(installs)],
  ...acpKinds.map(kind => createAcpAgent(kind, installs)),
];

export interface Model {
  readonly url: string;
  /** From now on it plays a new scene, and what happens is written down here. */
  begin(): Moments;
  readonly current: () => Moments;
}

/** A provider that says: write a file; then: done. */
export async function startModel(stage: Stage): Promise<Model> {
  let moments: Moments = new Map();
  let scene = scriptedGateway([]);
  const server = createServer((request, response) => {
    // By hand an agent asks here for its tools too, and Claude Code whether anybody is there.
    if (request.method === 'POST' && request.url?.endsWith('/mcp') !== true) note(moments, 'model called');
    scene.listener(request, response);
  });
  stage.atEnd(async () => {
    server.closeAllConnections();
    await new Promise(resolve => void server.close(resolve));
  });
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    current: () => moments,
    begin() {
      moments = new Map();
      scene = scriptedGateway([{ shell: 'cat /proc/sys/kernel/random/uuid > note.txt' }, { say: 'Done.' }]);
      return moments;
    },
  };
}

/** A server as users run it, and a worker in this process, so that its port to sandboxes can be looked at. */
export async function startHive(stage: Stage, model: Model, kinds: readonly InstalledKind[]) {
  for (const kind of kinds)
    await installAgent(kind, { folder: agentsFolder, clock: systemClock, onStep: step => stage.say(`${kind}: ${step}`) });
  const home = temporaryHome(stage);
  const providers = {
    bench: { kind: 'openai-compatible', base_url: `${model.url}/v1`, wires: ['chat', 'responses'] },
    anthropic: { kind: 'anthropic', base_url: `${model.url}/v1` },
    gemini: { kind: 'gemini', base_url: `${model.url}/v1beta` },
  };
  const prices = { 'bench/scripted': { input: 0, output: 0 } };
  writeFileSync(join(home, 'models.json'), JSON.stringify({ providers, prices }));
  const server = await startServer(stage, { home });
  const client = createClient({ server: server.url, token: server.token, clock: systemClock });
  const asked = { body: { name: 'bench', role: 'worker' }, schema: tokenCreated };
  const { secret } = await client.request('POST', '/api/tokens', asked);
  const place = temporaryHome(stage);
  const sandboxes = createLocalSandboxes({ folder: join(place, 'sandboxes'), clock: systemClock, log: silentLog });
  const worker = createWorker({
    client: createClient({ server: server.url, token: secret, clock: systemClock }),
    ...{
      name: 'bench',
      slots: 1,
      warm: 1,
      folder: join(place, 'worker'),
      clock: systemClock,
      log: silentLog,
      random: Math.random,
    },
    agents: [createExecAgent(), ...installedAgents],
    sandboxes: observed(sandboxes, model.current),
    onChange: change => void (change.kind === 'claimed' && note(model.current(), 'claim told')),
  });
  stage.atEnd(() => worker.stop({ graceMs: 0 }));
  return { client, worker };
}

/** One ticket from its lease to its submission; a review, which is another run, comes after and is not looked at. */
export async function follow(client: Client, projectId: string, model: Model): Promise<Moments> {
  const moments = model.begin();
  const body = { project_id: projectId, title: 'Write a note' };
  const { id } = await client.request('POST', '/api/tickets', { body, schema: ticket });
  const until = now() + endMs;
  for (;;) {
    const { events } = await client.request('GET', '/api/events', { query: { subject: id, limit: 100 }, schema: eventPage });
    if (events.some(({ type }) => type === 'ticket.completed')) break;
    if (now() > until || events.some(({ type }) => type === 'ticket.failed'))
      throw new Error(`${id} was not completed: ${JSON.stringify(events.at(-1))}`);
    // Seldom enough that asking does not slow the run down.
    await systemClock.sleep(100);
  }
  const { runs } = await client.request('GET', '/api/runs', { query: { ticket_id: id }, schema: runList });
  const query = { subject: runs.at(-1)?.id ?? '', limit: 100 };
  const { events } = await client.request('GET', '/api/events', { query, schema: eventPage });
  const leased = events.find(({ type }) => type === 'run.leased');
  const started = events.find(({ type, payload }) => type === 'run.reported' && payload['report'] === 'agent.started');
  const submitted = events.find(({ type }) => type === 'run.submitted');
  moments.set('submitted', Date.parse(submitted?.at ?? ''));
  moments.set('leased', Date.parse(leased?.at ?? ''));
  moments.set('agent started', Date.parse(agentReport.parse(started?.payload).details.at));
  return moments;
}

const agentReport = z.object({ details: z.object({ at: z.iso.datetime() }) });
