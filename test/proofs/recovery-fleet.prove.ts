import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { quantile } from '../../bench/harness/bench.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { allEvents, build, deadlocks, type EventView, type Farm, heldTwice, startFarm, tickets } from '../harness/farm.ts';
import { buildSkep, endAll, tempFolder } from '../harness/process.ts';
import { card } from '../harness/story.ts';

const processCount = 4;
const workersEach = 25;
const ticketCount = 500;
/** Runs of tickets, one after another, into as many parts of equal size. */
const quarters = 4;
const waitMsMax = 800_000;

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
  const farm = await startFarm();
  await Promise.all(Array.from({ length: processCount }, (_, index) => startWorkers(farm, index * workersEach)));
  const features = Array.from({ length: ticketCount }, (_, index) => ({ title: `part ${index}` }));
  await build(farm, 'echo "$SKEP_TICKET_ID" > "$SKEP_TICKET_ID.txt"', card('fleet', features));

  const looks: Look[] = [];
  const end = systemClock.mono() + waitMsMax;
  for (let completed = 0; completed < ticketCount; ) {
    if (systemClock.mono() > end) throw new Error(`${completed} of ${ticketCount} after ${waitMsMax} ms`);
    await systemClock.sleep(250);
    const all = await tickets(farm);
    expect(all.filter(({ status }) => status === 'failed')).toEqual([]);
    completed = all.filter(({ status }) => status === 'completed').length;
    // By what agents have handed in: landing, one after another, lags far behind a hundred of them.
    const handedIn = all.filter(({ status }) => ['verifying', 'merging', 'completed'].includes(status)).length;
    looks.push({ handedIn, ...use(farm.server.pid) });
  }

  const events = await allEvents(farm);
  expect(heldTwice(events)).toEqual([]);
  expect(deadlocks(farm)).toBe(0);
  const waits = waitsOf(events);
  const shares = sharesOf(events);
  const [second, last] = [quarter(looks, 2), quarter(looks, quarters)];
  const figures = {
    // A hundred sandboxes on a few cores can keep a heartbeat waiting; what is lost then is taken up again, and is no failure.
    lost: events.filter(({ type }) => type === 'run.lost').length,
    ...{ wait_p50_ms: quantile(waits, 0.5), wait_p99_ms: quantile(waits, 0.99), wait_max_ms: Math.max(...waits) },
    ...{ workers: shares.size, least: Math.min(...shares.values()), most: Math.max(...shares.values()), second, last },
  };
  process.stdout.write(`100 workers: ${JSON.stringify(figures)}\n`);
  // Everybody had a share, and nobody's ticket was passed over while later ones went on.
  expect(shares.size).toBe(processCount * workersEach);
  expect(passedOver(events)).toEqual([]);
  expect(last.rssMb / second.rssMb).toBeLessThan(1.1);
  expect(last.descriptors / second.descriptors).toBeLessThan(1.1);
});

interface Look {
  readonly handedIn: number;
  readonly rssMb: number;
  readonly descriptors: number;
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

function use(pid: number): Omit<Look, 'handedIn'> {
  const kb = Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return { rssMb: Math.round(kb / 1_024), descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/** The medians of what was seen while that part of the tickets was handed in. */
function quarter(looks: readonly Look[], number: number): Omit<Look, 'handedIn'> {
  const size = ticketCount / quarters;
  const part = looks.filter(({ handedIn }) => handedIn > (number - 1) * size && handedIn <= number * size);
  return {
    rssMb: quantile(
      part.map(look => look.rssMb),
      0.5,
    ),
    descriptors: quantile(
      part.map(look => look.descriptors),
      0.5,
    ),
  };
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
