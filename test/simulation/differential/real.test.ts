import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openRealPostgres, type RealPostgres, tell } from './real.ts';

let real: RealPostgres;
let client: pg.Client;

beforeAll(async () => {
  real = await openRealPostgres();
  client = await real.connect();
});

afterAll(() => real.close());

const uuids = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'];
const told = { at: Date.UTC(2031, 0, 1, 0, 0, 5), begunAt: Date.UTC(2031, 0, 1), uuids, randoms: [0.25] };

test('time and dice are what was told', async () => {
  await tell(client, told);
  const { rows } = await client.query(
    'select now(), clock_timestamp(), random(), gen_random_uuid() as a, gen_random_uuid() as b',
  );
  expect(rows).toEqual([
    { now: new Date(told.begunAt), clock_timestamp: new Date(told.at), random: 0.25, a: uuids[0], b: uuids[1] },
  ]);
});

test('dice that were not thrown are refused', async () => {
  await tell(client, { ...told, uuids: [] });
  await expect(client.query('select gen_random_uuid()')).rejects.toThrow('the in-memory database has thrown fewer dice');
});

test('defaults, functions and jobs use them too', async () => {
  await tell(client, told);
  await client.query(`insert into tenants (name) values ('t')`);
  const { rows } = await client.query('select id, created_at from tenants');
  expect(rows).toEqual([{ id: uuids[0], created_at: new Date(told.begunAt) }]);
  await client.query(`select enqueue('planSession', '{"a": 1}', null, 'k'), enqueue('planSession', '{"a": 2}', null, 'k')`);
  const jobs = await client.query('select id, payload, run_at from graphile_worker._private_jobs');
  expect(jobs.rows).toEqual([{ id: 1, payload: { a: 2 }, run_at: new Date(told.begunAt) }]);
  const left = await client.query(
    `select proname from pg_proc where pronamespace = 'skep'::regnamespace and array_to_string(proconfig, ' ') like '%search_path%'
        and prokind = 'f' and array_to_string(proconfig, ' ') not like '%search_path=sim,%'`,
  );
  expect(left.rows).toEqual([]);
});
