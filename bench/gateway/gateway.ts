import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { project } from '../../contract/projects.ts';
import { claimed, heartbeatAnswer } from '../../contract/runs.ts';
import { ticket } from '../../contract/tickets.ts';
import { type Client, createClient } from '../../src/client/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type Bench, type Figure, figure, quantile, type Stage } from '../harness/bench.ts';
import { temporaryHome } from '../harness/place.ts';
import { build, memoryMb, startServer } from '../harness/processes.ts';
import { chunkMs } from './beat.ts';
import { hold, type Heard, listen, type Place } from './streams.ts';

const rounds = 5;
const streamsAtOnce = 50;
const runs = 16;
const openStreams = 200;

export const gateway: Bench = {
  name: 'gateway',
  about: `What the gateway adds to ${streamsAtOnce} streams at once, of which one begins every ${chunkMs} ms, beside the same provider asked directly; the same with all beginning in one moment; memory of an open stream.`,
  async run(stage) {
    build();
    const provider = await startProvider(stage);
    const home = temporaryHome(stage);
    const bench = { kind: 'openai-compatible', base_url: `${provider}/v1` };
    writeFileSync(
      join(home, 'models.json'),
      JSON.stringify({ providers: { bench }, prices: { 'bench/paced': { input: 0, output: 0 } } }),
    );
    const server = await startServer(stage, { home });
    const client = createClient({ server: server.url, token: server.token, clock: systemClock });
    const places = await holdRuns(stage, client, server.url);
    const agent = new Agent({ keepAlive: true });
    stage.atEnd(async () => agent.destroy());
    const added = await compare(stage, agent, { direct: [{ url: provider, token: 'none' }], places });
    return [...added, await weigh(stage, agent, { places, pid: server.pid })];
  },
};

async function startProvider(stage: Stage): Promise<string> {
  const child = fork(new URL('./upstream.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });
  stage.atEnd(async () => void child.kill());
  const [port] = (await once(child, 'message')) as [number];
  return `http://127.0.0.1:${port}`;
}

/** Runs that are held, each with a token for the gateway: one run alone may not have so many calls. */
async function holdRuns(stage: Stage, client: Client, url: string): Promise<Place[]> {
  const agent = { kind: 'exec', command: ['true'], model: 'bench/paced' };
  const { id } = await client.request('POST', '/api/projects', { body: { name: 'gateway', agent }, schema: project });
  const places: Place[] = [];
  for (let i = 0; i < runs; i++) {
    await client.request('POST', '/api/tickets', { body: { project_id: id, title: `Ask ${i}` }, schema: ticket });
    const body = { worker: 'bench', capabilities: ['agent:exec', 'isolation:namespaces'], wait_ms: 20_000 };
    const { run, lease, gateway: opened } = await client.request('POST', '/api/claim', { body, schema: claimed });
    const beat = () =>
      client.request('POST', '/api/heartbeat', { body: { run_id: run.id, token: lease.token }, schema: heartbeatAnswer });
    const heart = setInterval(() => void beat().catch(() => {}), lease.heartbeat_ms);
    stage.atEnd(async () => clearInterval(heart));
    places.push({ url: `${url}/gateway`, token: opened.token });
  }
  return places;
}

/** Each round asks directly and through the gateway, so that what else the machine does weighs on both. */
async function compare(
  stage: Stage,
  agent: Agent,
  { direct, places }: { direct: readonly Place[]; places: readonly Place[] },
): Promise<Figure[]> {
  const crowd = (from: readonly Place[], apartMs: number): Promise<Heard[]> =>
    Promise.all(
      Array.from({ length: streamsAtOnce }, async (_, i) => {
        await systemClock.sleep(i * apartMs);
        return listen(agent, from[i % from.length] as Place);
      }),
    );
  // Connections and compiled code are there before anything is measured.
  await crowd(direct, 0);
  await crowd(places, 0);
  const pairs: { readonly direct: readonly Heard[]; readonly through: readonly Heard[] }[] = [];
  const bursts: number[] = [];
  for (let round = 0; round < rounds; round++) {
    // When the last begins the first has not ended: a stream has as many chunks as there are streams.
    pairs.push({ direct: await crowd(direct, chunkMs), through: await crowd(places, chunkMs) });
    const firstOf = (heard: readonly Heard[]) =>
      quantile(
        heard.map(({ firstMs }) => firstMs),
        0.5,
      );
    bursts.push(firstOf(await crowd(places, 0)) - firstOf(await crowd(direct, 0)));
    stage.say(`round ${round + 1} of ${rounds}`);
  }
  const measures = [
    { name: 'first byte', of: (heard: readonly Heard[]) => heard.map(({ firstMs }) => firstMs) },
    { name: 'a chunk', of: (heard: readonly Heard[]) => heard.flatMap(({ delaysMs }) => delaysMs) },
  ];
  const burst = figure(`first byte, p50, added where all ${streamsAtOnce} begin in one moment`, 'ms', { values: bursts });
  const paced = measures.flatMap(({ name, of }) =>
    [
      { share: 0.5, goal: 2 },
      { share: 0.99, goal: 10 },
    ].flatMap(({ share, goal }) => {
      const at = (heard: readonly Heard[]) => quantile(of(heard), share);
      return [
        figure(`${name}, p${share * 100}, directly`, 'ms', { values: pairs.map(pair => at(pair.direct)) }),
        figure(`${name}, p${share * 100}, added by the gateway`, 'ms', {
          values: pairs.map(({ direct: bare, through }) => at(through) - at(bare)),
          goal: { is: 'at most', value: goal },
        }),
      ];
    }),
  );
  return [...paced, burst];
}

async function weigh(stage: Stage, agent: Agent, { places, pid }: { places: readonly Place[]; pid: number }): Promise<Figure> {
  const values: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = memoryMb([pid]);
    const held = await Promise.all(
      Array.from({ length: openStreams }, (_, i) => hold(agent, places[i % places.length] as Place)),
    );
    values.push(((memoryMb([pid]) - before) * 1_024) / openStreams);
    for (const close of held) close();
    await systemClock.sleep(2_000);
    stage.say(`${openStreams} open streams: ${Math.round(values.at(-1) ?? 0)} kB each`);
  }
  return figure(`memory of an open stream, of ${openStreams}`, 'kB PSS', { values });
}
