import { beforeEach, describe, expect, test } from 'vitest';
import { appendEvents } from '../../../src/db/events.sql.ts';
import type { Scope, Tx } from '../../../src/db/database.ts';
import { statement } from '../../../src/db/statement.ts';
import { openMemoryPostgres } from '../postgres/index.ts';
import type { MemoryPostgres } from '../postgres/types.ts';
import { createDice } from '../world/dice.ts';
import { createProcess, type Process } from '../world/process.ts';
import { beginning, createScheduler, type Scheduler } from '../world/scheduler.ts';
import { type DatabaseFaults, noFaults } from './faults.ts';
import { openSimulatedDatabase, type SimulatedDatabase } from './index.ts';

const [one, two] = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b'];
const scope: Scope = { tenantId: one, actor: 'test' };
const routes = { 'project.created': ['look', 'tell'] } as const;

const rename = statement<{ name: string }>('rename', 'update tenants set name = $2 where id = $1 returning name');
const nameOf = statement<{ name: string }>('name_of', 'select name from tenants where id = $1');

let scheduler: Scheduler;
let postgres: MemoryPostgres;
let process: Process;
let faults: { -readonly [name in keyof DatabaseFaults]: DatabaseFaults[name] };
let database: SimulatedDatabase;

beforeEach(() => {
  scheduler = createScheduler();
  const dice = createDice(1);
  let ids = 0;
  postgres = openMemoryPostgres({
    now: () => scheduler.now(),
    random: () => dice.next(),
    uuid: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`,
  });
  postgres.connect('owner').run(`insert into tenants (id, name) values ($1, 'one'), ($2, 'two')`, [one, two]);
  process = createProcess(scheduler, 0);
  faults = { ...noFaults(dice), takesMs: () => 10 };
  database = openDatabase();
});

describe('a transaction', () => {
  test('takes virtual time, and writes its events with their jobs as it commits', async () => {
    let commits = 0;
    database.onCommit(() => commits++);
    const done = outcome(database.engine(scope, announce));
    // Three round trips: begin, events, commit; each way 10 ms.
    await scheduler.run(beginning + 49);
    expect([await rowsOf('events'), done.value]).toEqual([[], undefined]);
    await scheduler.run(beginning + 60);
    expect(await rowsOf('events')).toMatchObject([{ type: 'project.created', actor: 'test', subject_id: 'p' }]);
    expect(await rowsOf('graphile_worker._private_jobs')).toMatchObject([{ task: 'look' }, { task: 'tell' }]);
    expect([done.value, commits]).toEqual(['announced', 1]);
  });

  test('is taken back where its body throws', async () => {
    const done = outcome(
      database.engine(scope, async tx => {
        await tx.query(rename, [one, 'renamed']);
        throw new Error('no');
      }),
    );
    await scheduler.run(beginning + 1_000);
    expect([done.error, await names()]).toEqual([new Error('no'), ['one', 'two']]);
  });

  test('waits for whoever holds its row, and sees what he left', async () => {
    const first = outcome(database.engine(scope, tx => renameSlowly(tx, one, 'first')));
    const second = outcome(
      database.engine(scope, async tx => {
        await tx.query(rename, [one, 'second']);
        return tx.query(nameOf, [one]);
      }),
    );
    await scheduler.run(beginning + 100);
    expect([first.value, second.value]).toEqual([undefined, undefined]);
    await scheduler.run(beginning + 2_000);
    expect([first.value, second.value, await names()]).toEqual(['done', [{ name: 'second' }], ['second', 'two']]);
  });

  test('of two that wait for each other one is refused, and runs again', async () => {
    let runs = 0;
    const cross = (who: string, first: string, second: string) =>
      outcome(
        database.engine(scope, async tx => {
          runs += 1;
          await renameSlowly(tx, first, `${who} ${first}`);
          await tx.query(rename, [second, `${who} ${second}`]);
          return 'done';
        }),
      );
    const [a, b] = [cross('a', one, two), cross('b', two, one)];
    await scheduler.run(beginning + 10_000);
    expect([a.value, b.value, runs]).toEqual(['done', 'done', 3]);
    expect(new Set((await names()).map(name => String(name).slice(0, 1))).size).toBe(1);
  });
});

describe('a connection that is lost', () => {
  test('before the commit: nothing happened, and nobody can tell', async () => {
    faults.isCutBeforeCommit = () => true;
    const done = outcome(database.engine(scope, announce));
    await scheduler.run(beginning + 1_000);
    expect([done.error, await rowsOf('events')]).toMatchObject([{ code: 'database_unavailable' }, []]);
  });

  test('after the commit: it happened, and nobody can tell', async () => {
    faults.isCutAfterCommit = () => true;
    const done = outcome(database.engine(scope, announce));
    await scheduler.run(beginning + 1_000);
    expect([done.error, (await rowsOf('events')).length]).toMatchObject([{ code: 'database_unavailable' }, 1]);
  });

  test('a single statement too', async () => {
    faults.isCutAfterCommit = () => true;
    const done = outcome(database.enginePool.query(rename, [one, 'renamed']));
    await scheduler.run(beginning + 1_000);
    expect([done.error, await names()]).toMatchObject([{ code: 'database_unavailable' }, ['renamed', 'two']]);
  });

  test('what the database refuses comes as the driver says it', async () => {
    const done = outcome(database.enginePool.query(rename, [one, 'two']));
    await scheduler.run(beginning + 1_000);
    expect(done.error).toMatchObject({ code: '23505', constraint: 'tenants_name_key' });
  });
});

describe('a server that crashes', () => {
  test('leaves nothing locked, and hears of nothing', async () => {
    const lost = outcome(database.engine(scope, tx => renameSlowly(tx, one, 'lost')));
    await scheduler.run(beginning + 100);
    process.kill();
    database.crash();
    const after = openDatabase(createProcess(scheduler, 0));
    const next = outcome(after.enginePool.query(rename, [one, 'next']));
    await scheduler.run(beginning + 10_000);
    expect([lost.value, lost.error, next.value, await names()]).toEqual([
      undefined,
      undefined,
      [{ name: 'next' }],
      ['next', 'two'],
    ]);
  });

  test('may have committed what was on its way', async () => {
    const ends = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const own = createProcess(scheduler, 0);
      const dying = openSimulatedDatabase({ postgres, scheduler, process: own, dice: createDice(seed), faults, routes });
      const done = outcome(dying.enginePool.query(rename, [one, `seed ${seed}`]));
      own.kill();
      dying.crash();
      await scheduler.run(scheduler.now() + 100);
      ends.add(JSON.stringify([(await names())[0] === `seed ${seed}`, Object.keys(done)]));
    }
    expect([...ends].sort()).toEqual(['[false,[]]', '[true,[]]']);
  });
});

describe('a slow disk', () => {
  test('keeps what a statement alone has done from being seen, and its row locked, until it is written', async () => {
    faults.flushMs = () => 1_000;
    const first = outcome(database.enginePool.query(rename, [one, 'first']));
    await scheduler.run(beginning + 1_009);
    faults.flushMs = () => 0;
    const second = outcome(database.enginePool.query(rename, [one, 'second']));
    expect([first.value, await names()]).toEqual([undefined, ['one', 'two']]);
    await scheduler.run(beginning + 1_015);
    expect([second.value, await names()]).toEqual([undefined, ['first', 'two']]);
    await scheduler.run(beginning + 1_040);
    expect([first.value, second.value, await names()]).toEqual([[{ name: 'first' }], [{ name: 'second' }], ['second', 'two']]);
  });

  test('loses it with a server that dies meanwhile, or keeps it', async () => {
    faults.flushMs = () => 1_000;
    const ends = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const own = createProcess(scheduler, 0);
      const dying = openSimulatedDatabase({ postgres, scheduler, process: own, dice: createDice(seed), faults, routes });
      const done = outcome(dying.enginePool.query(rename, [one, `seed ${seed}`]));
      await scheduler.run(scheduler.now() + 500);
      own.kill();
      dying.crash();
      await scheduler.run(scheduler.now() + 2_000);
      ends.add(JSON.stringify([(await names())[0] === `seed ${seed}`, Object.keys(done)]));
    }
    expect([...ends].sort()).toEqual(['[false,[]]', '[true,[]]']);
  });

  test('has nothing to write of what only reads, and of what is refused', async () => {
    faults.flushMs = () => 1_000;
    const read = outcome(database.enginePool.query(nameOf, [one]));
    const refused = outcome(database.enginePool.query(rename, [one, 'two']));
    await scheduler.run(beginning + 20);
    expect([read.value, refused.error]).toMatchObject([[{ name: 'one' }], { code: '23505' }]);
  });
});

test('a slow line makes each statement of its transaction late, and of no other', async () => {
  const lags = [100, 0];
  faults.lagMs = () => lags.shift() ?? 0;
  const renameLate = (id: string, name: string) => outcome(database.engine(scope, tx => tx.query(rename, [id, name])));
  const [slow, quick] = [renameLate(one, 'slow'), renameLate(two, 'quick')];
  await scheduler.run(beginning + 60);
  expect([slow.value, quick.value]).toEqual([undefined, [{ name: 'quick' }]]);
  // Begun in 10 ms; that it has, the statement and the commit are late, there and back.
  await scheduler.run(beginning + 559);
  expect(slow.value).toBeUndefined();
  await scheduler.run(beginning + 560);
  expect(slow.value).toEqual([{ name: 'slow' }]);
  const [again] = [renameLate(one, 'again')];
  await scheduler.run(beginning + 620);
  expect(again.value).toEqual([{ name: 'again' }]);
});

test('a stopped server gets its answer when it goes on', async () => {
  const done = outcome(database.enginePool.query(rename, [one, 'renamed']));
  process.stopFor(5_000);
  await scheduler.run(beginning + 4_000);
  expect([done.value, await names()]).toEqual([undefined, ['renamed', 'two']]);
  await scheduler.run(beginning + 6_000);
  expect(done.value).toEqual([{ name: 'renamed' }]);
});

test('there is no driver', () => {
  expect(() => database.enginePool.raw).toThrow('There is no driver in a simulated world');
  expect(appendEvents.name).toBe('append_events');
});

function openDatabase(own = process): SimulatedDatabase {
  return openSimulatedDatabase({ postgres, scheduler, process: own, dice: createDice(2), faults, routes });
}

function announce(tx: Tx): Promise<string> {
  tx.announce({ type: 'project.created', subject: { type: 'project', id: 'p' } });
  return Promise.resolve('announced');
}

async function renameSlowly(tx: Tx, id: string, name: string): Promise<string> {
  await tx.query(rename, [id, name]);
  await process.clock.sleep(500);
  return 'done';
}

interface Outcome<T> {
  value?: T;
  error?: unknown;
}

/** Nobody can wait for a promise here: time passes only while the scheduler runs. */
function outcome<T>(promise: Promise<T>): Outcome<T> {
  const seen: Outcome<T> = {};
  promise.then(
    value => (seen.value = value),
    (error: unknown) => (seen.error = error),
  );
  return seen;
}

function rowsOf(table: string): Promise<Record<string, unknown>[]> {
  return Promise.resolve(postgres.connect('owner').run(`select * from ${table}`));
}

async function names(): Promise<unknown[]> {
  return (await rowsOf('tenants')).sort((a, b) => (String(a['id']) < String(b['id']) ? -1 : 1)).map(row => row['name']);
}
