import { afterAll, beforeAll, expect, test } from 'vitest';
import { query, type TestDatabase, testDatabase } from '../../test/harness/database.ts';

let place: TestDatabase;
beforeAll(async () => {
  place = await testDatabase();
});
afterAll(() => place.close());

test('a server that falls silent in a transaction holds its locks for a minute and no longer', async () => {
  const client = await place.database.enginePool.connect();
  try {
    const { rows } = await client.query(`select name, setting::int from pg_settings where name ~ '^tcp_|^idle_in_transaction'`);
    const limits = Object.fromEntries((rows as { name: string; setting: number }[]).map(({ name, setting }) => [name, setting]));
    expect(limits).toEqual({
      ...{ tcp_keepalives_idle: 20, tcp_keepalives_interval: 10, tcp_keepalives_count: 4, tcp_user_timeout: 60_000 },
      idle_in_transaction_session_timeout: 60_000,
    });
    // The same with less patience: the row is free again, and the pool goes on with other connections.
    await client.query(`begin; set local idle_in_transaction_session_timeout = 200; lock table skep.servers in exclusive mode`);
    await query(place.superuserUrl, `begin; set local lock_timeout = '20s'; lock table skep.servers in exclusive mode; commit`);
    await expect(client.query('select 1')).rejects.toThrow(/terminat|not queryable|idle-in-transaction/);
  } finally {
    client.release(new Error('cut'));
  }
});
