import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stage } from '../harness/bench.ts';
import { type Hive, openHive, processesOf } from './hive.ts';

/** How long after the kill, in milliseconds, each thing was so. */
export type Timings = Readonly<Record<string, number>>;

const ticketCount = 4;
/** What an agent does: a second of work, and a file. */
const work = 'sleep 1; date > "$SKEP_TICKET_ID.txt"';

/** `skep start`, server and worker in one process, is killed and started again at once. */
export async function startDies(stage: Stage): Promise<Timings> {
  const { hive, part } = await openHive(stage, 'start');
  await hive.open(work, ticketCount);
  await someRun(hive);
  const from = performance.now();
  await part.kill();
  await hive.start('start');
  const ready = performance.now() - from;
  return { ready, done: await allDone(hive, from) };
}

/** `skep server` is killed and started again at once; its worker, another process, lives on. */
export async function serverDies(stage: Stage): Promise<Timings> {
  const { hive, part } = await openHive(stage, 'server');
  await hive.start('worker');
  await hive.open(work, ticketCount);
  await someRun(hive);
  const from = performance.now();
  await part.kill();
  await hive.start('server');
  const ready = performance.now() - from;
  return { ready, done: await allDone(hive, from) };
}

/** `skep worker` is killed and started again at once, of the same name on the same home. */
export async function workerDies(stage: Stage): Promise<Timings> {
  const { hive } = await openHive(stage, 'server');
  const worker = await hive.start('worker');
  await hive.open(work, ticketCount);
  await someRun(hive);
  const from = performance.now();
  await worker.kill();
  await hive.start('worker');
  return { done: await allDone(hive, from) };
}

/** A worker is killed for good, with its machine; another waits for work. Nobody but its lease says that it is dead. */
export async function workerDiesForGood(stage: Stage): Promise<Timings> {
  const { hive } = await openHive(stage, 'server');
  const first = await hive.start('worker');
  await hive.open(`if [ "$SKEP_ATTEMPT" = 1 ]; then exec sleep 300; fi; ${work}`, 1);
  await someRun(hive);
  await hive.start('worker', 'v');
  const from = performance.now();
  await first.kill();
  const isHeldAgain = async () => (await runsOf(hive)).some(({ attempt, state }) => attempt === 2 && state !== 'queued');
  const again = await hive.untilSo('another holds it', isHeldAgain, { from });
  return { again, done: await allDone(hive, from) };
}

/** The postmaster of the embedded database is killed while runs work; nobody is there to type anything. */
export async function databaseDies(stage: Stage): Promise<Timings> {
  const { hive } = await openHive(stage, 'start');
  await hive.open(work, ticketCount);
  await someRun(hive);
  const before = (await hive.tickets()).length;
  const from = performance.now();
  process.kill(postmasterOf(hive), 'SIGKILL');
  const noticed = await hive.untilSo('it is not ready', async () => !(await isReady(hive)), { from });
  const back = await hive.untilSo('it is ready', () => isReady(hive), { from });
  if ((await hive.tickets()).length !== before) throw new Error('a ticket is gone');
  return { noticed, back, done: await allDone(hive, from) };
}

/** The process of an agent is killed in its sandbox. */
export async function agentDies(stage: Stage): Promise<Timings> {
  const { hive } = await openHive(stage, 'start');
  const nap = `${300 + process.pid / 1e7}`;
  await hive.open(`if [ "$SKEP_ATTEMPT" = 1 ]; then exec sleep ${nap}; fi; ${work}`, 1);
  await hive.untilSo('the agent sleeps', () => processesOf('sleep', nap).length > 0);
  const [pid = 0] = processesOf('sleep', nap);
  const from = performance.now();
  process.kill(pid, 'SIGKILL');
  const first = async () => (await runsOf(hive)).find(({ attempt }) => attempt === 1);
  const noticed = await hive.untilSo('it is noticed', async () => (await first())?.state === 'failed', { from });
  const again = await hive.untilSo(
    'it works again',
    async () => (await runsOf(hive)).some(({ attempt, started_at }) => attempt === 2 && started_at !== null),
    { from },
  );
  const failureClass = (await first())?.failure_class;
  if (failureClass !== 'agent_died') throw new Error(`a killed agent is said to be ${failureClass}`);
  return { noticed, again, done: await allDone(hive, from) };
}

interface RunView {
  readonly subject_type: string;
  readonly attempt: number;
  readonly state: string;
  readonly started_at: string | null;
  readonly failure_class: string | null;
}

async function runsOf(hive: Hive): Promise<RunView[]> {
  const { runs } = await hive.get<{ runs: RunView[] }>('/api/runs?limit=500');
  return runs.filter(run => run.subject_type === 'ticket');
}

async function someRun(hive: Hive): Promise<void> {
  await hive.untilSo('something works', async () => (await runsOf(hive)).some(({ state }) => state === 'working'));
}

function allDone(hive: Hive, from: number): Promise<number> {
  const isDone = async () => {
    const all = await hive.tickets();
    return all.length > 0 && all.every(({ status }) => status === 'completed');
  };
  return hive.untilSo('all tickets are completed', isDone, { from });
}

async function isReady({ url }: Hive): Promise<boolean> {
  try {
    return (await fetch(`${url}/ready`, { signal: AbortSignal.timeout(1_000) })).status === 200;
  } catch {
    return false;
  }
}

function postmasterOf({ home }: Hive): number {
  return Number(readFileSync(join(home, 'postgres', 'data', 'postmaster.pid'), 'utf8').split('\n')[0]);
}
