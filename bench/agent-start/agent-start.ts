import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { eventPage } from '../../contract/events.ts';
import { project } from '../../contract/projects.ts';
import { runList } from '../../contract/runs.ts';
import { ticket } from '../../contract/tickets.ts';
import { tokenCreated } from '../../contract/tokens.ts';
import { type Client, createClient } from '../../src/client/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createCodexAgent } from '../../src/providers/agents/codex/index.ts';
import { createExecAgent } from '../../src/providers/agents/exec.ts';
import { installAgent } from '../../src/providers/agents/install/install.ts';
import { createInstalls } from '../../src/providers/agents/install/installs.ts';
import { createPiAgent } from '../../src/providers/agents/pi/index.ts';
import { createLocalSandboxes } from '../../src/providers/sandboxes/local/index.ts';
import { createWorker } from '../../src/worker/index.ts';
import { scriptedGateway } from '../../test/harness/scripted-gateway.ts';
import { type Bench, type Figure, latency, type Stage } from '../harness/bench.ts';
import { temporaryHome } from '../harness/place.ts';
import { build, startServer } from '../harness/processes.ts';
import { makeRepository } from '../harness/repository.ts';
import { type Moments, note, now, observed } from './moments.ts';

const rounds = 3;
const runsARound = 10;
const endMs = 120_000;
/** Installed once for all measurements. */
const agentsFolder = join(import.meta.dirname, '../../.cache/agents');

const agents = [
  { kind: 'exec', command: ['sh', '-c', askByCurl()], model: 'bench/scripted' },
  { kind: 'codex', model: 'bench/scripted' },
  { kind: 'pi', model: 'bench/scripted' },
] as const;

/** One part follows the other; what is first at the gateway is the end of the fifth. */
const parts = [
  ['leased', 'claim told', 'the claim, told to the worker'],
  ['claim told', 'sandbox asked for', 'the worker makes ready: repository, ways out'],
  ['sandbox asked for', 'sandbox made', 'the sandbox'],
  ['sandbox made', 'parent asked for', 'check-out in it'],
  ['parent asked for', 'parent speaks', "the agent's parent starts (Node)"],
  ['parent speaks', 'agent started', "the agent's process is there"],
  ['agent started', 'gateway called', 'the agent starts, to its first call at the gateway'],
  ['gateway called', 'model called', 'from there to its first call of a model'],
] as const;

export const agentStart: Bench = {
  name: 'agent-start',
  about: `From the lease to the first request of ${agents.map(({ kind }) => kind).join(', ')} at the gateway, by part; a scripted model, one run at a time.`,
  async run(stage) {
    build();
    const model = await startModel(stage);
    const { client, worker } = await startHive(stage, model);
    await worker.start();
    const figures: Figure[] = [];
    for (const agent of agents) {
      const body = { name: agent.kind, repository: makeRepository(stage), agent };
      const { id } = await client.request('POST', '/api/projects', { body, schema: project });
      // The first clones the repository and brings the agent into the file cache.
      await follow(client, id, model);
      const ways: Moments[][] = [];
      for (let round = 0; round < rounds; round++) {
        const way: Moments[] = [];
        for (let i = 0; i < runsARound; i++) way.push(await follow(client, id, model));
        ways.push(way);
        stage.say(`${agent.kind}: round ${round + 1} of ${rounds}`);
      }
      figures.push(...figuresOf(agent.kind, ways));
    }
    return figures;
  },
};

function figuresOf(kind: string, ways: readonly (readonly Moments[])[]): Figure[] {
  const between = (from: string, to: string) => ways.map(way => way.map(moments => at(moments, to) - at(moments, from)));
  return [
    ...latency(`${kind}: lease → first request at the gateway`, { rounds: between('leased', 'gateway called') }),
    ...parts.flatMap(([from, to, name]) => latency(`${kind}: ${name}`, { rounds: between(from, to) }).slice(0, 1)),
  ];
}

function at(moments: Moments, name: string): number {
  const found = moments.get(name);
  if (found === undefined) throw new Error(`nobody saw "${name}", only ${[...moments.keys()].join(', ')}`);
  return found;
}

interface Model {
  readonly url: string;
  /** From now on it plays a new scene, and what happens is written down here. */
  begin(): Moments;
  readonly current: () => Moments;
}

/** A provider that says: write a file; then: done. */
async function startModel(stage: Stage): Promise<Model> {
  let moments: Moments = new Map();
  let scene = scriptedGateway([]);
  const server = createServer((request, response) => {
    note(moments, 'model called');
    scene.listener(request, response);
  });
  stage.atEnd(async () => {
    server.closeAllConnections();
    await new Promise(resolve => void server.close(resolve));
  });
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    current: () => moments,
    begin() {
      moments = new Map();
      scene = scriptedGateway([{ shell: 'cat /proc/sys/kernel/random/uuid > note.txt' }, { say: 'Done.' }]);
      return moments;
    },
  };
}

/** A server as users run it, and a worker in this process, so that its port to sandboxes can be looked at. */
async function startHive(stage: Stage, model: Model) {
  for (const kind of ['codex', 'pi'] as const)
    await installAgent(kind, { folder: agentsFolder, clock: systemClock, onStep: step => stage.say(`${kind}: ${step}`) });
  const home = temporaryHome(stage);
  const bench = { kind: 'openai-compatible', base_url: model.url, wires: ['chat', 'responses'] };
  const prices = { 'bench/scripted': { input: 0, output: 0 } };
  writeFileSync(join(home, 'models.json'), JSON.stringify({ providers: { bench }, prices }));
  const server = await startServer(stage, { home });
  const client = createClient({ server: server.url, token: server.token, clock: systemClock });
  const asked = { body: { name: 'bench', role: 'worker' }, schema: tokenCreated };
  const { secret } = await client.request('POST', '/api/tokens', asked);
  const installs = createInstalls(agentsFolder);
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
    agents: [createExecAgent(), createCodexAgent(installs), createPiAgent(installs)],
    sandboxes: observed(sandboxes, model.current),
    onChange: change => void (change.kind === 'claimed' && note(model.current(), 'claim told')),
  });
  stage.atEnd(() => worker.stop({ graceMs: 0 }));
  return { client, worker };
}

/** One ticket from its lease to its submission; a review, which is another run, comes after and is not looked at. */
async function follow(client: Client, projectId: string, model: Model): Promise<Moments> {
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
  moments.set('leased', Date.parse(leased?.at ?? ''));
  moments.set('agent started', Date.parse(agentReport.parse(started?.payload).details.at));
  return moments;
}

const agentReport = z.object({ details: z.object({ at: z.iso.datetime() }) });

/** The least that an agent can be: it asks, and writes a file. */
function askByCurl(): string {
  const question = '{"model":"bench/scripted","messages":[{"role":"user","content":"?"}],"stream":true}';
  const head = '-H "authorization: Bearer $SKEP_RUN_TOKEN" -H "content-type: application/json"';
  if (!existsSync('/usr/bin/curl')) throw new Error('needs the Debian package curl');
  return `curl -sS ${head} -d '${question}' "$SKEP_GATEWAY_URL/v1/chat/completions" && cat /proc/sys/kernel/random/uuid > note.txt`;
}
