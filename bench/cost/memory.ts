import { join } from 'node:path';
import { project } from '../../contract/projects.ts';
import { claimed, heartbeatAnswer } from '../../contract/runs.ts';
import { ticket } from '../../contract/tickets.ts';
import { type Client, createClient } from '../../src/client/index.ts';
import { livePostmaster } from '../../src/db/embedded/pid-file.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { type Bench, type Figure, figure, type Stage } from '../harness/bench.ts';
import { temporaryHome } from '../harness/place.ts';
import { build, memoryMb, type RunningServer, startServer, startWorker } from '../harness/processes.ts';

const idleWorkers = 200;
const liveRuns = 100;
const waitMs = 60_000;
const settleMs = 5_000;
const beatMs = 5_000;

export const memory: Bench = {
  name: 'memory',
  about:
    'What the server and its database need for each worker that waits and each run that is held, and what a worker needs itself.',
  async run(stage) {
    build();
    const home = temporaryHome(stage);
    const server = await startServer(stage, { home });
    const client = createClient({ server: server.url, token: server.token, clock: systemClock });
    return [...(await weighServer(stage, { server, client, home })), await weighWorker(stage, { server, client })];
  },
};

interface Served {
  readonly server: RunningServer;
  readonly client: Client;
  readonly home: string;
}

/** What a server and its database need at rest, and for each worker and run more; `at` is said in the figures' names. */
export async function weighServer(stage: Stage, { server, client, home }: Served, at = ''): Promise<Figure[]> {
  const weigh = async () => {
    await systemClock.sleep(settleMs);
    return memoryMb([server.pid, livePostmaster(join(home, 'postgres', 'data'))?.pid ?? 0]);
  };
  // What is made once for the first of anything is nobody's share.
  await waitIdle(client, 1);
  await holdRuns(stage, client, 1);
  const empty = await weigh();
  const alone = memoryMb([server.pid]);
  const waiting = waitIdle(client, idleWorkers);
  const idle = await weigh();
  await waiting;
  const before = await weigh();
  await holdRuns(stage, client, liveRuns);
  const live = await weigh();
  return [
    figure(`server and database, at rest${at}`, 'MB PSS', { values: [empty] }),
    figure(`of these the server${at}`, 'MB PSS', { values: [alone] }),
    figure(`server, of each of ${idleWorkers} workers that wait${at}`, 'kB PSS', {
      values: [((idle - empty) * 1_024) / idleWorkers],
    }),
    figure(`server, of each of ${liveRuns} runs that are held${at}`, 'kB PSS', {
      values: [((live - before) * 1_024) / liveRuns],
    }),
  ];
}

/** So many claims that wait, of workers of their own, until they get nothing. */
async function waitIdle(client: Client, count: number): Promise<void> {
  const body = (i: number) => ({ worker: `idle-${i}`, capabilities: [], wait_ms: count === 1 ? 100 : 3 * settleMs });
  await Promise.all(
    Array.from({ length: count }, (_, i) => client.request('POST', '/api/claim', { body: body(i), schema: claimed.optional() })),
  );
}

async function holdRuns(stage: Stage, client: Client, count: number): Promise<void> {
  const agent = { kind: 'exec', command: ['true'] };
  const { id } = await client.request('POST', '/api/projects', { body: { name: `held ${count}`, agent }, schema: project });
  for (let i = 0; i < count; i++) {
    await client.request('POST', '/api/tickets', { body: { project_id: id, title: `Held ${i}` }, schema: ticket });
    const body = { worker: `w-${i}`, capabilities: ['agent:exec', 'isolation:namespaces'], wait_ms: waitMs };
    const { run, lease } = await client.request('POST', '/api/claim', { body, schema: claimed });
    const beat = () =>
      client.request('POST', '/api/heartbeat', {
        body: { run_id: run.id, token: lease.token, state: 'working' },
        schema: heartbeatAnswer,
      });
    const heart = setInterval(() => void beat().catch(() => {}), beatMs);
    stage.atEnd(async () => clearInterval(heart));
  }
}

/** A worker with one slot, which waits. */
async function weighWorker(stage: Stage, { server, client }: { server: RunningServer; client: Client }): Promise<Figure> {
  const pid = await startWorker(stage, { server, client });
  await systemClock.sleep(settleMs);
  return figure('a worker that waits, itself', 'MB PSS', { values: [memoryMb([pid])] });
}
