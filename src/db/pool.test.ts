import { afterAll, beforeAll, expect, test } from 'vitest';
import { startProxy } from '../../test/chaos/proxy.ts';
import { query, type TestDatabase, testDatabase } from '../../test/harness/database.ts';
import { systemClock } from '../kernel/clock.ts';
import { silentLog } from '../kernel/log.ts';
import { createDatabase } from './database.ts';
import { type Connection, openPool, type Pool } from './pool.ts';
import { statement } from './statement.ts';

let place: TestDatabase;
beforeAll(async () => {
  place = await testDatabase();
});
afterAll(() => place.close());

test('a server that falls silent in a transaction holds its locks for as long as a lease and no longer', async () => {
  const client = await place.database.enginePool.connect();
  try {
    const { rows } = await client.query(`select name, setting::int from pg_settings where name ~ '^tcp_|^idle_in_transaction'`);
    const limits = Object.fromEntries((rows as { name: string; setting: number }[]).map(({ name, setting }) => [name, setting]));
    expect(limits).toEqual({
      ...{ tcp_keepalives_idle: 6, tcp_keepalives_interval: 3, tcp_keepalives_count: 4, tcp_user_timeout: 15_000 },
      idle_in_transaction_session_timeout: 15_000,
    });
    // The same with less patience: the row is free again, and the pool goes on with other connections.
    await client.query(`begin; set local idle_in_transaction_session_timeout = 200; lock table skep.servers in exclusive mode`);
    await query(place.superuserUrl, `begin; set local lock_timeout = '20s'; lock table skep.servers in exclusive mode; commit`);
    await expect(client.query('select 1')).rejects.toThrow(/terminat|not queryable|idle-in-transaction/);
  } finally {
    client.release(new Error('cut'));
  }
});

const one = statement<{ one: number }>('one', 'select 1 as one');

/** The same pool; `asked` is told all that its connections are asked. */
function overheard(pool: Pool, asked: string[]): Pool {
  const hear = (connection: Connection): Connection => ({
    query(what) {
      asked.push(typeof what === 'string' ? what.replace(/;.*/s, '') : what.name);
      return connection.query(what);
    },
    release: broken => connection.release(broken),
  });
  return { ...pool, connect: async () => hear(await pool.connect()) };
}

test('a line that is half-open holds nobody up for longer than one answer may take, and is not used again', async () => {
  const engine = new URL(place.engineUrl);
  const line = await startProxy({ host: engine.hostname, port: Number(engine.port) });
  engine.port = String(line.port);
  const pool = openPool(engine.href, silentLog, { connectionCountMax: 2, answerMsMax: 1_000, silenceMsMax: 15_000 });
  const asked: string[] = [];
  const heard = overheard(pool, asked);
  const database = createDatabase({ appPool: heard, enginePool: heard, routes: {}, clock: systemClock });
  const scope = { tenantId: await place.makeTenant('half-open'), actor: 'test' };
  try {
    await expect(pool.query(one)).resolves.toEqual([{ one: 1 }]);
    line.set({ hole: true });
    await expect(pool.query(one)).rejects.toMatchObject({ code: 'database_unavailable' });
    line.set({});
    await expect(pool.query(one)).resolves.toEqual([{ one: 1 }]);
    const lost = database.engine(scope, async tx => {
      line.set({ hole: true });
      return tx.query(one);
    });
    await expect(lost).rejects.toMatchObject({ code: 'database_unavailable' });
    // Nothing more was asked of it, or that would have been waited for as well.
    expect(asked).toEqual(['begin', 'one']);
    line.set({});
    const made = line.made();
    await expect(database.engine(scope, tx => tx.query(one))).resolves.toEqual([{ one: 1 }]);
    expect(line.made()).toBe(made + 1);
  } finally {
    await pool.close();
    await line.close();
  }
});
