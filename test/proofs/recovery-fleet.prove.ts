import { type ChildProcess, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { quantile } from '../../bench/harness/bench.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import {
  allEvents,
  build,
  deadlocks,
  type EventView,
  type Farm,
  heldTwice,
  startFarm,
  type TicketView,
} from '../harness/farm.ts';
import { buildSkep, endAll, type SkepProcess, tempFolder, until } from '../harness/process.ts';
import { card } from '../harness/story.ts';

const processCount = 4;
const workersEach = 25;
const ticketCount = 500;
/** Equal ones, each waited for: then the server is asked how much it holds, doing the same each time, which is nothing. */
const roundCount = 4;
const roundMsMax = 400_000;

beforeAll(buildSkep);
const fleet: ChildProcess[] = [];
afterEach(async () => {
  for (const child of fleet.splice(0)) {
    const ended = once(child, 'exit');
    if (child.exitCode === null && child.kill('SIGTERM')) await ended;
  }
  await endAll();
});

test('100 workers at once and 500 tickets: nobody starves, nothing is held twice, and the server does not grow', async () => {
  const farm = await startFarm({ NODE_OPTIONS: '--inspect=127.0.0.1:0' });
  await Promise.all(Array.from({ length: processCount }, (_, index) => startWorkers(farm, index * workersEach)));
  const held: Held[] = [];
  for (let round = 1; round <= roundCount; round++) {
    await buildRound(farm, round);
    held.push(await heldBy(farm.server));
  }

  const events = await allEvents(farm);
  expect(heldTwice(events)).toEqual([]);
  expect(deadlocks(farm)).toBe(0);
  const waits = waitsOf(events);
  const shares = sharesOf(events);
  const figures = {
    // A hundred sandboxes on a few cores can keep a heartbeat waiting; what is lost then is taken up again, and is no failure.
    lost: events.filter(({ type }) => type === 'run.lost').length,
    ...{ wait_p50_ms: quantile(waits, 0.5), wait_p99_ms: quantile(waits, 0.99), wait_max_ms: Math.max(...waits) },
    ...{ workers: shares.size, least: Math.min(...shares.values()), most: Math.max(...shares.values()), held },
  };
  process.stdout.write(`100 workers: ${JSON.stringify(figures)}\n`);
  // Everybody had a share, and nobody's ticket was passed over while later ones went on.
  expect(shares.size).toBe(processCount * workersEach);
  expect(passedOver(events)).toEqual([]);
  // The first round also warms the server up.
  const [, second, , last] = held;
  const growth = (what: keyof Held) => (last?.[what] ?? Number.NaN) / (second?.[what] ?? Number.NaN);
  expect(growth('rssMb')).toBeLessThan(1.1);
  expect(growth('heapMb')).toBeLessThan(1.1);
  expect(growth('descriptors')).toBeLessThan(1.1);
});

async function buildRound(farm: Farm, round: number): Promise<void> {
  const features = Array.from({ length: ticketCount / roundCount }, (_, index) => ({ title: `part ${round}.${index}` }));
  await build(farm, 'sleep 5; echo "$SKEP_TICKET_ID" > "$SKEP_TICKET_ID.txt"', card(`fleet ${round}`, features));
  const isDone = async () => {
    // To ask more often would cost the hundred a good part of the server.
    await systemClock.sleep(500);
    const { body } = await farm.call('GET', '/api/tickets?type=feature&limit=500');
    const all = body['tickets'] as TicketView[];
    expect(all.filter(({ status }) => status === 'failed')).toEqual([]);
    return all.every(({ status }) => status === 'completed') ? true : undefined;
  };
  await until(`round ${round} to be completed`, isDone, roundMsMax);
}

/** What a server at rest holds, garbage collected: what it needs only for a while says nothing about a leak. */
interface Held {
  readonly rssMb: number;
  readonly heapMb: number;
  readonly descriptors: number;
}

async function heldBy(server: SkepProcess): Promise<Held> {
  const url = /Debugger listening on (\S+)/.exec(server.stderr())?.[1];
  if (url === undefined) throw new Error(`the server does not say where it can be inspected: ${server.stderr()}`);
  const inspector = new WebSocket(url);
  try {
    await once(inspector, 'open');
    // Twice: what the first finds to be unreachable may hold more.
    for (const id of [1, 2]) await ask(inspector, id, 'HeapProfiler.collectGarbage');
    const { usedSize } = await ask(inspector, 3, 'Runtime.getHeapUsage');
    const kb = Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]);
    const mb = (bytes: number) => Math.round(bytes / 104_857.6) / 10;
    return { rssMb: mb(kb * 1_024), heapMb: mb(Number(usedSize)), descriptors: readdirSync(`/proc/${server.pid}/fd`).length };
  } finally {
    inspector.terminate();
  }
}

async function ask(inspector: WebSocket, id: number, method: string): Promise<Record<string, unknown>> {
  inspector.send(JSON.stringify({ id, method }));
  for await (const [message] of on(inspector, 'message')) {
    const answer = JSON.parse(String(message)) as { id?: number; result?: Record<string, unknown> };
    if (answer.id === id) return answer.result ?? {};
  }
  throw new Error(`${method} was not answered`);
}

async function startWorkers(farm: Farm, from: number): Promise<void> {
  const script = join(import.meta.dirname, '../fixtures/fleet.ts');
  const argv = ['--import', createRequire(import.meta.url).resolve('tsx'), script, farm.url, tempFolder()];
  const child = spawn(process.execPath, [...argv, String(from), String(workersEach)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], SKEP_TOKEN: farm.token },
  });
  fleet.push(child);
  await once(child.stdout, 'data');
}

/** Of each run of a ticket, how long it was queued, in milliseconds. */
function waitsOf(events: readonly EventView[]): number[] {
  const queued = new Map<string, number>();
  const waits: number[] = [];
  for (const { type, subject, at } of events) {
    if (type === 'run.queued') queued.set(subject.id, Date.parse(at));
    if (type === 'run.leased') waits.push(Date.parse(at) - (queued.get(subject.id) ?? Number.NaN));
  }
  return waits;
}

/** How many runs each worker had. */
function sharesOf(events: readonly EventView[]): Map<string, number> {
  const shares = new Map<string, number>();
  for (const { type, actor } of events) if (type === 'run.leased') shares.set(actor, 1 + (shares.get(actor) ?? 0));
  return shares;
}

/** As many claims by others may come first as there are claimers: they look at the queue at the same time. */
const overtakesMax = processCount * workersEach;
/** What was queued within so long of each other counts as queued together. */
const togetherMs = 1_000;

/** Runs that waited while more than so many that were queued later were claimed. */
function passedOver(events: readonly EventView[]): string[] {
  const queuedAt = new Map(
    events.filter(({ type }) => type === 'run.queued').map(({ subject, at }) => [subject.id, Date.parse(at)]),
  );
  const claims = events.filter(({ type, payload }) => type === 'run.leased' && payload['subjectType'] === 'ticket');
  const times = claims.map(({ subject }) => queuedAt.get(subject.id) ?? Number.NaN);
  const overtakes = times.map((own, index) => times.slice(0, index).filter(other => other > own + togetherMs).length);
  return claims.filter((_, index) => (overtakes[index] ?? 0) > overtakesMax).map(({ subject }) => subject.id);
}
