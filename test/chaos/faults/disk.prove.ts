import { mkdirSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../../src/kernel/clock.ts';
import { query } from '../../harness/database.ts';
import { endModelFarms } from '../../harness/model-farm.ts';
import { buildSkep, tempFolder, until } from '../../harness/process.ts';
import { endLoads, ownDisk, ownEmbedded, ownPostgres, startLoad } from '../load.ts';
import { comeClean, type Verdict } from '../oracle.ts';
import { begin, conclude, patienceMs } from '../report.ts';
import { type Busy, busyWorld, leaseMs, startWorld } from '../world.ts';
import { fill, free, keepFull, refusals, uploadIsRefused } from './disk.ts';

beforeAll(buildSkep);
afterEach(async () => {
  await endModelFarms();
  await endLoads();
});

const timeout = 900_000;
const times = 10;
/** Long enough for several things to fail. */
const fullMs = 3_000;
const fullMsMax = 120_000;
const warmMsMax = 120_000;

interface Full {
  readonly what: string;
  readonly disk: string;
  /** While it is full. */
  readonly meanwhile: () => Promise<void>;
  /** A worker that fails again and again for want of space claims less often, at last once in so long. */
  readonly heldBackMs?: number;
}

/** Again and again: it is full, something is wanted of it, and there is space again; all has to be done then. */
async function fillAgain(load: Busy, { what, disk, meanwhile, heldBackMs = 0 }: Full): Promise<void> {
  const row = `the disk is full: ${what}`;
  begin(row);
  const withinMs = patienceMs(leaseMs, heldBackMs);
  const verdicts: Verdict[] = [];
  const cleanMs: number[] = [];
  // What is made once, such as the copy of the repository, is there before.
  await load.pour(1);
  await comeClean(load.scene(), warmMsMax);
  for (let time = 0; time < times; time++) {
    await load.pour(2);
    fill(disk);
    await meanwhile();
    free(disk);
    const { verdict, ms } = await comeClean(load.scene(), withinMs);
    verdicts.push(verdict);
    cleanMs.push(ms);
  }
  conclude({ what: row, count: times, verdicts, cleanMs, withinMs });
}

/** How many runs have failed because the disk of their worker was full, where they have become more. */
async function fullDisks({ database }: Busy, before: number): Promise<number | undefined> {
  const text = `select count(*)::int as count from runs where failure_class = 'sandbox'`;
  const [{ count } = { count: 0 }] = await query<{ count: number }>(database, text);
  return count > before ? count : undefined;
}

function diskOf(mib: number): string {
  const disk = ownDisk(mib);
  if (disk === undefined) throw new Error('this proof mounts file systems, which this user may not');
  return disk;
}

test('the home of the server is full', { timeout }, async () => {
  const disk = diskOf(64);
  const load = await startLoad(await ownEmbedded(), { home: join(disk, 'home') });
  const at = tempFolder();
  let worker = load.worker('one', { home: at });
  const meanwhile = async (): Promise<void> => {
    // So that the test gets the run by which it uploads.
    await worker.kill('SIGTERM');
    await uploadIsRefused(load);
    worker = load.worker('one', { home: at });
    await systemClock.sleep(fullMs);
  };
  await fillAgain(load, { what: "the server's home, with depot and uploads", disk, meanwhile });
});

test('the disk of the database is full', { timeout }, async () => {
  const disk = diskOf(160);
  const folder = join(disk, 'postgres');
  mkdirSync(folder);
  const postgres = await ownPostgres(['max_wal_size=48MB', 'min_wal_size=32MB'], folder);
  if (postgres === undefined) throw new Error('the Debian package postgresql-15 is not installed');
  const load = await startLoad(postgres);
  load.worker('one');
  const meanwhile = async (): Promise<void> => {
    const seen = await refusals(load, 2_000);
    expect([...seen].filter(each => !/^(507 disk_full|503 database_unavailable)$/.test(each))).toEqual([]);
    expect(seen.size).toBeGreaterThan(0);
  };
  await fillAgain(load, { what: 'that of the database', disk, meanwhile });
});

test('the disk of sandboxes is full', { timeout }, async () => {
  const disk = diskOf(64);
  const load = await startLoad(await ownEmbedded());
  load.worker('one', { home: join(disk, 'home') });
  let seen = 0;
  const meanwhile = async (): Promise<void> => {
    seen = await until('a run fails for want of space', () => fullDisks(load, seen), fullMsMax);
    await systemClock.sleep(fullMs);
  };
  await fillAgain(load, { what: "a worker's, with its sandboxes", disk, meanwhile, heldBackMs: 60_000 });
});

test('the disk of logs is full', { timeout }, async () => {
  const disk = diskOf(1);
  const before = ['sh', '-c', 'exec "$@" 2>>"$0"', join(disk, 'log')];
  const load = await startLoad(await ownEmbedded(), { before, env: { SKEP_LOG_LEVEL: 'debug' } });
  load.worker('one');
  const meanwhile = async (): Promise<void> => {
    await systemClock.sleep(fullMs);
    // Nothing of what it had to say in that time could be written.
    expect(statfsSync(disk).bavail).toBe(0);
  };
  await fillAgain(load, { what: "that of the server's log", disk, meanwhile });
});

test('the one disk of all is full: database, server and worker, as `skep start` has them', { timeout }, async () => {
  const disk = diskOf(400);
  const world = await startWorld(['plain'], {}, join(disk, 'home'));
  world.worker('one', undefined, 2);
  const log = join(disk, 'home/postgres/server.log');
  const meanwhile = (): Promise<void> => keepFull(disk, fullMs);
  await fillAgain(busyWorld(world), { what: 'the one of all, as a home has it', disk, meanwhile, heldBackMs: 60_000 });
  expect(readFileSync(log, 'utf8')).toContain('No space left on device');
});
