import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { query, type TestDatabase, testDatabase } from '../../test/harness/database.ts';
import { createGate } from '../../test/harness/gate.ts';
import { systemClock } from '../kernel/clock.ts';
import { silentLog } from '../kernel/log.ts';
import { type Database, openDatabase } from './database.ts';
import { type EventRow, eventsAfter, sequenceEvents } from './events.sql.ts';
import { createSequencer } from './sequencer.ts';

let place: TestDatabase;
let database: Database;
let tenantId: string;
beforeEach(async () => {
  place = await testDatabase();
  database = openDatabase({ ...place, routes: { 'project.created': ['one', 'two'] }, clock: systemClock, log: silentLog });
  tenantId = await place.makeTenant('events');
});
afterEach(async () => {
  await database.close();
  await place.close();
});

/** Announces an event, and commits after the gate. */
const write = (id: string, gate?: Promise<void>, began?: () => void) =>
  database.request({ tenantId, actor: 'test' }, async tx => {
    tx.announce({ type: 'project.changed', subject: { type: 'project', id } });
    began?.();
    await gate;
  });

/** As the live stream and the list of events read: whatever follows the cursor, and on from there. */
function createReader() {
  const seen: EventRow[] = [];
  return {
    seen,
    async read() {
      const rows = await database.enginePool.query(eventsAfter, [tenantId, seen.at(-1)?.position ?? 0, 7, null]);
      seen.push(...rows);
      return rows.length;
    },
  };
}

const sequence = async (batch = 1_000) => (await database.enginePool.query(sequenceEvents, [batch]))[0]?.sequenceEvents ?? 0;
const idsOf = (rows: readonly EventRow[]) => rows.map(row => row.subjectId);

describe('positions', () => {
  test('are unique, without holes, in the order of the commits; a long transaction that ends last comes last', async () => {
    const gate = createGate();
    const began = createGate();
    // The events of a transaction are written at its end, so this one is written by hand and then held open.
    const slow = new pg.Client({ connectionString: place.superuserUrl, options: '-c search_path=skep' });
    await slow.connect();
    await slow.query('begin');
    await slow.query(
      `insert into events (tenant_id, type, subject_type, subject_id, actor) values ($1, 'project.changed', 'project', 'slow', 'a')`,
      [tenantId],
    );
    const late = write('late', gate.passed, began.open);
    await began.passed;
    for (const id of ['a', 'b', 'c']) {
      await write(id);
      expect(await sequence()).toBe(1);
    }
    const reader = createReader();
    await reader.read();
    expect(idsOf(reader.seen)).toEqual(['a', 'b', 'c']);
    gate.open();
    await late;
    expect(await sequence()).toBe(1);
    await slow.query('commit');
    await slow.end();
    await sequence();
    while ((await reader.read()) > 0);
    // `slow` has the smallest id of all and is still read, since readers go by position.
    expect(idsOf(reader.seen)).toEqual(['a', 'b', 'c', 'late', 'slow']);
    expect(reader.seen.map(row => row.position)).toEqual([1, 2, 3, 4, 5]);
  });

  test('8 writers with delays, two sequencers, three readers at once: each reader sees each event once and in order', async () => {
    const sequencers = [createSequencer(database, systemClock, silentLog), createSequencer(database, systemClock, silentLog)];
    for (const sequencer of sequencers) sequencer.start();
    const perWriter = 60;
    let writing = true;
    const readers = [createReader(), createReader(), createReader()];
    const reading = readers.map(async reader => {
      while (writing || reader.seen.length < 8 * perWriter) if ((await reader.read()) === 0) await systemClock.sleep(1);
    });
    await Promise.all(
      Array.from({ length: 8 }, async (_, writer) => {
        for (let i = 0; i < perWriter; i++) {
          // Of different lengths and the same in every run; each fortieth holds its transaction far longer than the others.
          const delayMs = i % 40 === 39 ? 150 : (writer * 7 + i * 3) % 5;
          await write(`${writer}-${i}`, systemClock.sleep(delayMs));
        }
      }),
    );
    writing = false;
    await Promise.all(reading);
    await Promise.all(sequencers.map(sequencer => sequencer.stop()));
    for (const { seen } of readers) {
      expect(seen.map(row => row.position)).toEqual(Array.from({ length: 8 * perWriter }, (_, i) => i + 1));
      expect(new Set(idsOf(seen)).size).toBe(8 * perWriter);
      for (let writer = 0; writer < 8; writer++) {
        const own = idsOf(seen).filter(id => id.startsWith(`${writer}-`));
        expect(own).toEqual(Array.from({ length: perWriter }, (_, i) => `${writer}-${i}`));
      }
    }
  });

  test('are given once, however many sequencers ask, in batches', async () => {
    for (let i = 0; i < 25; i++) await write(`${i}`);
    const given = await Promise.all(Array.from({ length: 8 }, () => sequence(10)));
    expect(given.reduce((sum, count) => sum + count, 0)).toBe(25);
    expect(given.filter(count => count > 0)).toHaveLength(3);
    const reader = createReader();
    while ((await reader.read()) > 0);
    expect(reader.seen.map(row => row.position)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
  });

  test('a sequencer that dies with its work undone costs nothing but the wait for the next', async () => {
    for (let i = 0; i < 5; i++) await write(`${i}`);
    const dying = new pg.Client({ connectionString: place.engineUrl, options: '-c search_path=skep' });
    dying.on('error', () => {});
    await dying.connect();
    const { rows } = await dying.query<{ pid: number }>('select pg_backend_pid() as pid');
    await dying.query('begin; select sequence_events(3)');
    const waiting = sequence();
    await query(place.superuserUrl, 'select pg_terminate_backend($1)', [rows[0]?.pid]);
    expect(await waiting).toBe(5);
    const reader = createReader();
    await reader.read();
    expect(reader.seen.map(row => row.position)).toEqual([1, 2, 3, 4, 5]);
    await dying.end().catch(() => {});
  });

  test('all connections cut again and again while it writes and sequences: what was committed is read once', async () => {
    const sequencer = createSequencer(database, systemClock, silentLog);
    sequencer.start();
    const kept: string[] = [];
    for (let i = 0; i < 60; i++) {
      if (i % 10 === 5) {
        await query(
          place.superuserUrl,
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
        );
      }
      const done = await write(`${i}`).then(
        () => true,
        () => false,
      );
      if (done) kept.push(`${i}`);
    }
    const reader = createReader();
    while (reader.seen.length < kept.length) if ((await reader.read().catch(() => 0)) === 0) await systemClock.sleep(5);
    await sequencer.stop();
    expect(kept.length).toBeGreaterThan(30);
    expect(idsOf(reader.seen)).toEqual(kept);
  });
});

describe('the notification', () => {
  test('tells a burst of 200 events in a few words, and its last word names the last position', async () => {
    const listener = new pg.Client({ connectionString: place.engineUrl });
    await listener.connect();
    const words: number[] = [];
    const complete = createGate();
    listener.on('notification', ({ payload }) => {
      words.push(Number(payload));
      if (Number(payload) === 200) complete.open();
    });
    await listener.query('listen skep_events');
    const sequencer = createSequencer(database, systemClock, silentLog);
    sequencer.start();
    await Promise.all(Array.from({ length: 200 }, (_, i) => write(`${i}`)));
    await complete.passed;
    await sequencer.stop();
    await listener.end();
    expect(words).toEqual(words.toSorted((x, y) => x - y));
    expect(words.length).toBeLessThanOrEqual(60);
  });
});

describe('the jobs of an event', () => {
  const jobs = () =>
    query<{ task: string; id: string }>(
      place.superuserUrl,
      `select t.identifier as task, j.payload -> 'subject' ->> 'id' as id from graphile_worker._private_jobs j
         join graphile_worker._private_tasks t on t.id = j.task_id order by j.id`,
    );
  const announce = (id: string, fails: boolean) =>
    database.request({ tenantId, actor: 'test' }, async tx => {
      tx.announce({ type: 'project.created', subject: { type: 'project', id } });
      tx.announce({ type: 'project.changed', subject: { type: 'project', id } });
      if (fails) throw new Error('the verb failed');
    });

  test('are there when it committed, each once, and not when it was rolled back', async () => {
    const told = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => announce(`${i}`, i % 2 === 1)));
    expect(told.filter(each => each.status === 'fulfilled')).toHaveLength(10);
    const even = Array.from({ length: 10 }, (_, i) => `${i * 2}`);
    const found = await jobs();
    for (const task of ['one', 'two']) {
      expect(
        found
          .filter(job => job.task === task)
          .map(job => job.id)
          .toSorted(),
      ).toEqual(even.toSorted());
    }
    expect(found).toHaveLength(20);
    expect(await query(place.superuserUrl, 'select from events')).toHaveLength(20);
  });

  test('are not there when the connection dies before the commit', async () => {
    const began = createGate();
    const gate = createGate();
    const lost = database.request({ tenantId, actor: 'test' }, async tx => {
      tx.announce({ type: 'project.created', subject: { type: 'project', id: 'lost' } });
      began.open();
      await gate.passed;
    });
    await began.passed;
    await query(
      place.superuserUrl,
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
    );
    gate.open();
    await expect(lost).rejects.toMatchObject({ code: 'database_unavailable' });
    expect([await jobs(), await query(place.superuserUrl, 'select from events')]).toEqual([[], []]);
  });

  test('a transaction that lost a deadlock is run again and tells its event once', async () => {
    await query(place.superuserUrl, `insert into projects (tenant_id, name) select $1, n from unnest(array['x', 'y']) n`, [
      tenantId,
    ]);
    const touch = { name: 'touch_project', text: 'update projects set updated_at = now() where tenant_id = $1 and name = $2' };
    let begun = 0;
    const both = createGate();
    const cross = (first: string, second: string) =>
      database.request({ tenantId, actor: 'test' }, async tx => {
        tx.announce({ type: 'project.changed', subject: { type: 'project', id: first } });
        await tx.query(touch, [tenantId, first]);
        if (++begun >= 2) both.open();
        await both.passed;
        await tx.query(touch, [tenantId, second]);
      });
    await Promise.all([cross('x', 'y'), cross('y', 'x')]);
    // Who is begun again may have the row before the other is awake, and lose again.
    expect(begun).toBeGreaterThanOrEqual(3);
    expect(await query(place.superuserUrl, 'select subject_id as id from events order by 1')).toEqual([{ id: 'x' }, { id: 'y' }]);
  });
});
