import pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type TestDatabase, testDatabase } from '../../test/harness/database.ts';
import { PreparingClient } from './prepared.ts';

let place: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  place = await testDatabase();
  client = new PreparingClient({ connectionString: place.superuserUrl });
  await client.connect();
});
afterAll(async () => {
  await client.end();
  await place.close();
});

/** How often the server was asked what a statement answers. */
const asked = (of: pg.Client) => vi.spyOn((of as unknown as { connection: { describe(): void } }).connection, 'describe');

const text = `select n, n::int8 as big, case when n > 1 then now() end as at, jsonb_build_object('n', n) as json, array['a', null] as words
                from generate_series(1, $1::int) as n`;

test('what a statement answers is asked once a connection, and each answer is read as the driver reads it', async () => {
  const plain = new pg.Client({ connectionString: place.superuserUrl });
  const other = new PreparingClient({ connectionString: place.superuserUrl });
  await Promise.all([plain.connect(), other.connect()]);
  const told = [asked(client), asked(other)];
  try {
    for (const values of [[2], [0], [3]]) {
      const query = { name: 'answers', text: text.replace('now()', `timestamptz '2026-11-23 01:02:03+00'`), values };
      const expected = await plain.query(query);
      for (const each of [client, other]) {
        const { rows, fields, rowCount, command } = await each.query(query);
        expect({ rows, rowCount, command }).toEqual({ rows: expected.rows, rowCount: values[0], command: 'SELECT' });
        expect(fields.map(({ name }) => name)).toEqual(['n', 'big', 'at', 'json', 'words']);
      }
    }
    expect(told.map(spy => spy.mock.calls.length)).toEqual([1, 1]);
  } finally {
    for (const spy of told) spy.mockRestore();
    await Promise.all([plain.end(), other.end()]);
  }
});

test('one that answers no rows, one that fails, and one whose columns have changed are as the driver has them', async () => {
  await client.query('create temporary table things (n int primary key)');
  const put = (n: number) => client.query({ name: 'put', text: 'insert into things values ($1)', values: [n] });
  await expect(put(1)).resolves.toMatchObject({ rows: [], rowCount: 1 });
  await expect(put(1)).rejects.toMatchObject({ code: '23505' });
  await expect(put(2)).resolves.toMatchObject({ rows: [], rowCount: 1 });

  const all = () => client.query({ name: 'all', text: 'select * from things order by n' });
  await expect(all()).resolves.toMatchObject({ rows: [{ n: 1 }, { n: 2 }] });
  await client.query(`alter table things add column word text default 'w'`);
  await expect(all()).rejects.toThrow('cached plan must not change result type');
  await expect(client.query('select * from things order by n')).resolves.toMatchObject({ rows: [{ word: 'w' }, { word: 'w' }] });
});

test('it calls back, as a pool asks it to, and takes values beside the statement', async () => {
  const query = { name: 'calls_back', text: 'select $1::int as n' };
  for (const n of [1, 2]) {
    const rows = await new Promise((resolve, reject) => {
      client.query<{ n: number }>({ ...query, values: [n] }, (error, result) =>
        error instanceof Error ? reject(error) : resolve(result.rows),
      );
    });
    expect(rows).toEqual([{ n }]);
    await expect(client.query(query, [n + 2])).resolves.toMatchObject({ rows: [{ n: n + 2 }] });
  }
});
