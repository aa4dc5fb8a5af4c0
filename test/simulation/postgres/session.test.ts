import { beforeEach, describe, expect, test } from 'vitest';
import { Blocked, openMemoryPostgres, SqlError } from './index.ts';
import type { Session } from './types.ts';

const start = Date.UTC(2026, 0, 2);
let now: number;
let count: number;
let told: string[];
let postgres: ReturnType<typeof openMemoryPostgres>;
let one: Session;
let two: Session;

function open(rewrite?: (text: string) => string): void {
  const uuid = () => `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`;
  postgres = openMemoryPostgres({ now: () => now, random: () => 0.5, uuid }, rewrite && { rewrite });
  postgres.onNotify((channel, payload) => told.push(`${channel} ${payload}`));
  one = postgres.connect('engine');
  two = postgres.connect('engine');
}

beforeEach(() => {
  [now, count, told] = [start, 0, []];
  open();
});

const tenant = '00000000-0000-4000-8000-0000000000aa';
const other = '00000000-0000-4000-8000-0000000000bb';

function twoTenants(): void {
  one.run(`insert into tenants (id, name) values ($1, 'a'), ($2, 'b')`, [tenant, other]);
}

function refusal(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof Blocked) return 'blocked';
    if (error instanceof SqlError) return `${error.code} ${error.constraint ?? ''}`.trim();
    throw error;
  }
  return 'done';
}

const names = (session: Session) => session.run('select name from tenants order by name').map(row => row['name']);

describe('transactions', () => {
  test('nobody else sees what is not committed, and nobody at all what is rolled back', () => {
    one.begin();
    one.run(`insert into tenants (name) values ('a')`);
    expect([names(one), names(two)]).toEqual([['a'], []]);
    one.rollback();
    expect(names(one)).toEqual([]);
    one.run('begin');
    one.run(`insert into tenants (name) values ('b')`);
    one.run('commit');
    expect(names(two)).toEqual(['b']);
  });

  test('now() is when it began, clock_timestamp() is now', () => {
    one.begin();
    now += 5000;
    const [row] = one.run('select now() as began, clock_timestamp() as now');
    expect(row).toEqual({ began: new Date(start), now: new Date(start + 5000) });
    one.commit();
    expect(one.run('select now()')).toEqual([{ now: new Date(start + 5000) }]);
  });

  test('one that has failed does nothing until it is rolled back, and its commit is none', () => {
    twoTenants();
    one.begin();
    one.run(`update tenants set name = 'c' where id = $1`, [tenant]);
    expect(refusal(() => one.run(`insert into tenants (name) values ('b')`))).toBe('23505 tenants_name_key');
    expect(refusal(() => one.run('select 1'))).toBe('25P02');
    one.commit();
    expect(names(one)).toEqual(['a', 'b']);
    expect(one.transaction).toBeUndefined();
  });

  test('a statement is all or nothing', () => {
    twoTenants();
    expect(refusal(() => one.run(`insert into tenants (name) values ('c'), ('a')`))).toBe('23505 tenants_name_key');
    expect(refusal(() => one.run('update tenants set ticket_count = 1 / ticket_count'))).toBe('22012');
    expect(names(two)).toEqual(['a', 'b']);
  });

  test('who meets a lock has done nothing, and gets through when its holder is over', () => {
    twoTenants();
    one.begin();
    one.run('update tenants set ticket_count = 7 where id = $1', [other]);
    two.begin();
    const both = 'update tenants set ticket_count = ticket_count + 1';
    expect(refusal(() => two.run(both))).toBe('blocked');
    // It holds nothing meanwhile, and has not failed.
    expect(refusal(() => one.run('update tenants set ticket_count = 3 where id = $1', [tenant]))).toBe('done');
    one.commit();
    two.run(both);
    two.commit();
    expect(one.run('select ticket_count from tenants order by name')).toEqual([{ ticket_count: 4 }, { ticket_count: 8 }]);
  });

  test('a connection that ends takes back what it has begun', () => {
    twoTenants();
    one.begin();
    one.run('delete from tenants');
    one.end();
    expect(names(two)).toEqual(['a', 'b']);
    expect(refusal(() => one.run('select 1'))).toBe('08003');
  });

  test('what is set for a transaction is over with it', () => {
    one.run(`begin; set local app.tenant = '${tenant}'`);
    expect(one.run('select current_tenant()')).toEqual([{ current_tenant: tenant }]);
    one.commit();
    expect(one.run('select current_tenant()')).toEqual([{ current_tenant: null }]);
  });
});

describe('statements', () => {
  test('a part that writes is seen by no other part, but for what it returns', () => {
    twoTenants();
    const rows = one.run(
      `with made as (insert into tenants (name) values ('c') returning name), gone as (delete from tenants where name = 'a' returning name),
            changed as (update tenants set ticket_count = 9 where name = 'b' returning ticket_count)
       select (select count(*) from tenants) as seen, (select sum(ticket_count) from tenants)::int as tickets, (select name from made) as made,
              (select ticket_count from changed) as changed`,
    );
    expect(rows).toEqual([{ seen: 2, tickets: 0, made: 'c', changed: 9 }]);
    expect(names(two)).toEqual(['b', 'c']);
  });

  test('a row that several rows match is written once', () => {
    twoTenants();
    const [row, ...more] = one.run(
      `update tenants t set ticket_count = t.ticket_count + v.n from (values (1), (2)) v (n) where t.name = 'a' returning t.ticket_count, v.n`,
    );
    expect([row, more]).toEqual([{ ticket_count: 1, n: 1 }, []]);
  });

  test('locks are taken in the order and up to the limit, and what is held is passed over', () => {
    twoTenants();
    one.begin();
    one.run(`select id from tenants where name = 'a' for update`);
    two.begin();
    const next = (session: Session) =>
      session.run('select name from tenants order by name limit 1 for no key update skip locked');
    expect(next(two)).toEqual([{ name: 'b' }]);
    expect(next(postgres.connect('engine'))).toEqual([]);
    expect(refusal(() => two.run('select name from tenants order by name limit 1 for no key update'))).toBe('blocked');
  });

  test('on conflict', () => {
    twoTenants();
    const put = `insert into tenants as t (name, ticket_count) values ($1, $2)
                 on conflict (name) do update set ticket_count = t.ticket_count + excluded.ticket_count where excluded.ticket_count > 0
                 returning t.name, t.ticket_count`;
    expect(one.run(put, ['a', 5])).toEqual([{ name: 'a', ticket_count: 5 }]);
    expect(one.run(put, ['a', 0])).toEqual([]);
    expect(one.run(put, ['c', 1])).toEqual([{ name: 'c', ticket_count: 1 }]);
    expect(one.run(`insert into tenants (name) values ('a'), ('d') on conflict do nothing returning name`)).toEqual([
      { name: 'd' },
    ]);
    const twice = `insert into tenants (name) values ('a'), ('a') on conflict (name) do update set ticket_count = 1`;
    expect(refusal(() => one.run(twice))).toBe('21000');
  });

  test('parameters take the type of what they meet', () => {
    twoTenants();
    expect(refusal(() => one.run('select from tenants where id = $1', ['no uuid']))).toBe('22P02');
    expect(refusal(() => one.run('select from tenants where id = $1', []))).toBe('08P01');
    expect(
      one.run('select name from tenants where id = any ($1) and ticket_count = $2', [[other, tenant.toUpperCase()], '0']),
    ).toHaveLength(2);
    expect(one.run(`select $1::jsonb ->> 'a' as a, $2::int + 1 as b, $3::text as c`, [{ a: 'x' }, '4', 5])).toEqual([
      { a: 'x', b: 5, c: '5' },
    ]);
  });

  test('what is not known is named', () => {
    expect(() => one.run('select count(*) over () from tenants')).toThrow('does not know count over a window');
    expect(() => one.run('select lpad(name, 3) from tenants')).toThrow('does not know the function lpad');
    expect(() => one.run('truncate tenants')).toThrow('does not know TruncateStmt');
  });

  test('a statement can be changed before it is compiled', () => {
    open(text => text.replace("'a'", "'z'"));
    one.run(`insert into tenants (name) values ('a')`);
    expect(names(one)).toEqual(['z']);
  });
});

describe('functions and triggers of the schema', () => {
  test('a run that is over tells the claims, where something may wait for that', () => {
    twoTenants();
    const [run] = one.run(
      `insert into runs (tenant_id, subject_type, subject_id, attempt, state, fence, lease_token_hash, lease_expires_at)
       values ($1, 'review', 'r', 1, 'working', 1, '', now()) returning id`,
      [tenant],
    );
    const end = `update runs set state = 'lost', lease_expires_at = null, ended_at = now() where id = $1`;
    one.begin();
    one.run(end, [run?.['id']]);
    one.rollback();
    one.run(`insert into run_limits (tenant_id, scope, scope_id, runs_max) values ($1, 'tenant', '', 3)`, [tenant]);
    one.begin();
    one.run(end, [run?.['id']]);
    expect(told).toEqual([]);
    one.commit();
    expect(told).toEqual([`skep_runs ${tenant}`]);
  });

  test('keys of files are those of the files and of all folders that they lie in', () => {
    const [row] = one.run(`select k.* from keys_of_files($1, array['src/a.ts', 'b']) k`, [tenant]);
    expect(row).toEqual({
      held: ['=src/a.ts', '=b', '<src/a.ts', '<b', '<src'].map(key => tenant + key),
      wanted: ['<src/a.ts', '<b', '=src/a.ts', '=b', '=src'].map(key => tenant + key),
    });
    const free = (busy: object, files: string[]) =>
      one.run('select files_are_free($1, $2, $3) as free', [busy, tenant, files])[0]?.['free'];
    expect(free({ [`${tenant}=src/a.ts`]: null }, ['src/a.ts'])).toBe(false);
    expect(free({ [`${tenant}<src`]: null }, ['src'])).toBe(false);
    expect(free({ [`${tenant}=src/a.ts`]: null }, ['src/b.ts'])).toBe(true);
    expect(free({ [`${tenant}=src`]: null }, [])).toBe(true);
  });

  test('a job of the same key is replaced', () => {
    const add = (payload: object) => one.run(`select enqueue('t', $1, job_key => 'k')`, [payload]);
    add({ n: 1 });
    add({ n: 2 });
    one.run(`select enqueue('u', '{}')`);
    expect(one.run('select task, payload, job_key from graphile_worker._private_jobs order by id')).toEqual([
      { task: 't', payload: { n: 2 }, job_key: 'k' },
      { task: 'u', payload: {}, job_key: null },
    ]);
    const app = postgres.connect('app');
    expect(refusal(() => app.run(`select enqueue('t', $1)`, [{ tenantId: tenant }]))).toBe('42501');
  });

  test('jobs of several tasks are added by one call, or none of them', () => {
    one.run(`select enqueue_jobs($1, $2)`, [
      ['t', 'u'],
      [{ n: 1 }, { n: 2 }],
    ]);
    one.run(`select enqueue_jobs($1, $2)`, [[], []]);
    const added = () => one.run('select task, payload, attempts from graphile_worker._private_jobs order by id');
    const both = [
      { task: 't', payload: { n: 1 }, attempts: 0 },
      { task: 'u', payload: { n: 2 }, attempts: 0 },
    ];
    expect(added()).toEqual(both);
    const app = postgres.connect('app');
    expect(refusal(() => app.run(`select enqueue_jobs($1, $2)`, [['t'], [{ tenantId: tenant }]]))).toBe('42501');
    expect(added()).toEqual(both);
  });

  test('positions follow the ids, and are told once they are committed', () => {
    twoTenants();
    const log = `insert into events (tenant_id, type, subject_type, subject_id, actor) select $1, 'x', 'run', n::text, 'a' from generate_series(1, 3) n`;
    one.run(log, [tenant]);
    expect(one.run('select sequence_events(2)')).toEqual([{ sequence_events: 2 }]);
    expect(one.run('select sequence_events(2)')).toEqual([{ sequence_events: 1 }]);
    expect(one.run('select sequence_events(2)')).toEqual([{ sequence_events: 0 }]);
    expect(one.run('select subject_id, position from events order by id').map(row => row['position'])).toEqual([1, 2, 3]);
    expect(told).toEqual(['skep_events 2', 'skep_events 3']);
  });
});
