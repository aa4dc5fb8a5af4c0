import type { EventEmitter } from 'node:events';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { query, type TestDatabase, testDatabase } from '../../test/harness/database.ts';
import { systemClock } from '../kernel/clock.ts';
import { silentLog } from '../kernel/log.ts';
import { openDatabase } from './database.ts';
import { statement } from './statement.ts';

/*
 * The wall stands between tenants in the database itself: a request that forgets a `where tenant_id` still sees one tenant.
 * Its known limit: whoever can run SQL of his own choice as the app role can also set app.tenant. Requests never can, since their
 * SQL is fixed text with parameters (tidy/sql.test.ts), and the tenant comes from the token.
 */

/** No tenant's rows: the engine's alone, or the owner's. */
const tablesOfNoTenant = ['blob_chunks', 'event_sequencer', 'migrations', 'servers'];

const a = 'aaaaaaaa-0000-4000-8000-000000000000';
const b = 'bbbbbbbb-0000-4000-8000-000000000000';

/** The same shape for each tenant; :t is its id, also that of its project, session, spec, run, trunk and the like. */
const rowsOfTenant = `
  insert into tenants (id, name) values (:t, :t);
  insert into tokens (id, tenant_id, name, role, secret_hash) values (:t, :t, 'n', 'admin', decode(md5(:t), 'hex'));
  insert into events (position, tenant_id, type, subject_type, subject_id, actor)
    select 1 + coalesce(max(position), 0), :t, 'run.queued', 'run', :t, 'a' from events;
  insert into projects (id, tenant_id, name) values (:t, :t, 'p');
  insert into sessions (id, tenant_id, project_id, description, state) values (:t, :t, :t, 'd', 'building');
  insert into session_messages (tenant_id, session_id, number, author, text) values (:t, :t, 1, 'person', 'secret');
  insert into plannings (tenant_id, session_id, phase) values (:t, :t, 'CLARIFY');
  insert into specs (id, tenant_id, session_id, project_id, name, status, phase, card) values (:t, :t, :t, :t, 's', 'draft', 'SYNC', '{}');
  insert into tickets (tenant_id, id, number, project_id, type, title, status)
    values (:t, 'TKT-001', 1, :t, 'task', 't', 'ready'), (:t, 'TKT-002', 2, :t, 'task', 't', 'blocked');
  insert into ticket_dependencies (tenant_id, ticket_id, needs_id) values (:t, 'TKT-002', 'TKT-001');
  insert into runs (id, tenant_id, subject_type, subject_id, attempt, state) values (:t, :t, 'ticket', 'TKT-001', 1, 'queued');
  insert into run_logs (tenant_id, run_id, chunk_offset, bytes) values (:t, :t, 0, 'secret');
  insert into transcript_events (tenant_id, run_id, seq, chunk_end, type, at, body) values (:t, :t, 1, 1, 'cut', now(), '"secret"');
  insert into blobs (tenant_id, sha256, size, kind, run_id) values (:t, repeat('0', 64), 1, 'bundle', :t);
  insert into trunks (id, tenant_id, project_id, spec_id, branch, red_base) values (:t, :t, :t, :t, 'skep/secret', 'refuse');
  insert into reviews (id, tenant_id, kind, trunk_id, ticket_id, run_id, round, head_sha, base_sha, candidate_sha)
    values (:t, :t, 'submission', :t, 'TKT-001', :t, 1, 'h', 'b', 'c');
  insert into changes (id, tenant_id, trunk_id, ticket_id, state, approval, head_sha, base_sha, review_id, run_id)
    values (:t, :t, :t, 'TKT-001', 'open', 'not_needed', 'h', 'b', :t, :t);
  insert into budgets (id, tenant_id, scope, scope_id, cap_tokens) values (:t, :t, 'project', :t, 1);
  insert into model_calls (id, tenant_id, run_id, project_id, agent, wire, provider, model, is_recorded, reserved_microusd, reserved_tokens)
    values (:t, :t, :t, :t, 'exec', 'chat', 'secret', 'm', false, 0, 0);
  insert into breakers (tenant_id, provider, model, state) values (:t, 'p', 'secret', '{}');
  insert into templates (tenant_id, name) values (:t, 'a'); insert into template_versions values (:t, 'a@1', 'a', 1, 'secret', null, '{}', '{}', '', '{}', '{}');
  insert into workers (tenant_id, name, incarnation, host, version, slots) values (:t, 'w', :t, 'secret', '1', 1);
  insert into sandbox_kills (tenant_id, sandbox_id, asked_by) values (:t, 'secret', 'a');
  insert into run_limits (tenant_id, scope, scope_id, runs_max) values (:t, 'agent', 'secret', 1); insert into brakes (tenant_id, state, reason) values (:t, 'off', 'secret');
  insert into questions (id, tenant_id, kind, subject_type, subject_id, text) values (:t, :t, 'ask', 'run', 'r', 'secret');
  insert into memories (id, tenant_id, project_id, kind, text, sha256) values (:t, :t, :t, 'warning', 'secret', 's');
  insert into result_submissions (id, tenant_id, spec_id, version, proof, summary, evidence, criteria, submitted_by)
    values (:t, :t, :t, 1, 'unproven', 'secret', '{}', '[]', 'a');`;

let place: TestDatabase;
let app: pg.Client;
let tables: { name: string; tenantColumn: string; columns: string[] }[];

beforeAll(async () => {
  place = await testDatabase();
  for (const tenant of [a, b]) await query(place.superuserUrl, rowsOfTenant.replaceAll(':t', `'${tenant}'`));
  await query(place.superuserUrl, 'insert into servers (id) values (gen_random_uuid())');
  app = await connect(place.appUrl);
  tables = await tablesOfTenants();
});

afterAll(async () => {
  await app.end();
  await place.close();
});

describe('what the fixture covers', () => {
  test('a row of each tenant in every table of the schema', async () => {
    const all = (await query<{ name: string }>(place.superuserUrl, listTables)).map(row => row.name);
    expect(all).toEqual([...tables.map(table => table.name), ...tablesOfNoTenant].sort());
    expect(all.length).toBeGreaterThanOrEqual(19);
    for (const { name, tenantColumn } of tables) {
      const rows = await query<{ tenant: string }>(place.superuserUrl, `select distinct ${tenantColumn} as tenant from ${name}`);
      expect([name, rows.map(row => row.tenant).sort()]).toEqual([name, [a, b]]);
    }
  });
});

describe.each([
  ['as tenant A', a],
  ['without a tenant', undefined],
  ['after a tenant was unset', ''],
])('raw SQL of the app role %s', (_, tenant) => {
  const forEachTable = async (attack: (table: (typeof tables)[number]) => Promise<void>) => {
    for (const table of tables) await attack(table);
  };
  const rowsSeen = tenant === a ? [a] : [];

  // A connection on which no tenant was ever set.
  beforeAll(async () => {
    await app.end();
    app = await connect(place.appUrl);
  });

  test('reads nothing of tenant B', () =>
    forEachTable(async ({ name, tenantColumn }) => {
      const seen = await attempt(tenant, `select distinct ${tenantColumn} as tenant from ${name}`);
      expect([name, seen.rows.map(row => row['tenant'])]).toEqual([name, rowsSeen]);
      const asked = await attempt(tenant, `select * from ${name} where ${tenantColumn} = '${b}'`);
      expect([name, asked.rows]).toEqual([name, []]);
    }));

  test('copies nothing of tenant B', () =>
    forEachTable(async ({ name }) => {
      const text = await copyOut(tenant, `copy ${name} to stdout`);
      expect(text).not.toContain(b);
      expect(text.includes(a)).toBe(tenant === a);
      expect((await attempt(tenant, `copy ${name} to program 'cat'`)).refused).toBe('42501');
      expect((await attempt(tenant, `copy ${name} from stdin`)).refused).toMatch(/^(0A000|42501)$/);
    }));

  test('changes and removes nothing of tenant B', async () => {
    const before = await rowsOf(b);
    await forEachTable(async ({ name, tenantColumn, columns }) => {
      for (const column of columns) {
        const changed = await attempt(tenant, `update ${name} set ${column} = ${column} where ${tenantColumn} = '${b}'`);
        expect([name, column, changed.refused ?? changed.count]).toSatisfy(noEffect);
      }
      const removed = await attempt(tenant, `delete from ${name} where ${tenantColumn} = '${b}'`);
      expect([name, removed.refused ?? removed.count]).toSatisfy(noEffect);
      expect((await attempt(tenant, `truncate ${name} cascade`)).refused).toBe('42501');
    });
    expect(await rowsOf(b)).toEqual(before);
  });

  test('adds nothing to tenant B, moves nothing to it and hangs nothing on it', async () => {
    const before = await rowsOf(b);
    await forEachTable(async ({ name, tenantColumn }) => {
      const insert = (values: object) =>
        attempt(tenant, `insert into ${name} overriding system value select * from jsonb_populate_record(null::${name}, $1)`, [
          JSON.stringify(values),
        ]);
      const [row] = await query<Record<string, unknown>>(
        place.superuserUrl,
        `select to_jsonb(x) as row from ${name} x where ${tenantColumn} = '${b}' limit 1`,
      );
      const theirs = row?.['row'] as Record<string, unknown>;
      expect([name, (await insert(theirs)).refused]).toEqual([name, '42501']);
      const mine = { ...theirs, [tenantColumn]: a };
      // Refused by the right, by a foreign key that holds the tenant, or by a key; what is let in is A's own and refers to nobody.
      expect([name, (await insert(mine)).refused ?? 'mine']).toSatisfy(([, how]) =>
        /^(42501|23503|23505|mine)$/.test(String(how)),
      );
      const moved = await attempt(tenant, `update ${name} set ${tenantColumn} = '${b}' where ${tenantColumn} = '${a}'`);
      expect([name, moved.refused ?? moved.count]).toSatisfy(noEffect);
    });
    expect(await rowsOf(b)).toEqual(before);
  });

  test('neither sees nor touches what belongs to no tenant', async () => {
    for (const name of tablesOfNoTenant) {
      for (const text of [
        `select from ${name}`,
        `delete from ${name}`,
        `insert into ${name} default values`,
        `copy ${name} to stdout`,
      ]) {
        expect([text, (await attempt(tenant, text)).refused]).toEqual([text, '42501']);
      }
    }
  });

  test('cannot leave its role, its wall or its rights', async () => {
    const { names } = inject('postgres');
    for (const role of [names.owner, names.engine, 'postgres']) {
      expect([role, (await attempt(tenant, `set role ${role}`)).refused]).toEqual([role, '42501']);
      expect([role, (await attempt(tenant, `set session authorization ${role}`)).refused]).toEqual([role, '42501']);
      expect([role, (await attempt(tenant, `grant ${role} to ${names.app}`)).refused]).toEqual([role, '42501']);
    }
    const after = await attempt(
      tenant,
      'reset role; reset session authorization; select current_user as me, session_user as who',
    );
    expect(after.rows).toEqual([{ me: names.app, who: names.app }]);
    for (const text of [
      'set row_security = off; select from tickets',
      'alter table tickets disable row level security',
      'alter table tickets no force row level security',
      `create policy mine on tickets to ${names.app} using (true)`,
      'drop policy one_tenant on tickets',
      `alter role ${names.app} bypassrls`,
      `create role another`,
      `create function skep.mine() returns int language sql security definer return 1`,
      `create or replace function skep.current_tenant() returns uuid language sql return '${b}'::uuid`,
      `call raise_wall('tickets')`,
      'create table skep.mine ()',
      'create view public.mine as select 1',
      'select from graphile_worker._private_jobs',
      `select graphile_worker.add_job('queueRun')`,
      'select sequence_events(1)',
      `select nextval('run_fences')`,
    ]) {
      expect([text, (await attempt(tenant, text)).refused]).toEqual([text, '42501']);
    }
  });

  test('enqueues jobs for no other tenant and for none, alone or beside its own', async () => {
    const enqueue = (payload: object) => attempt(tenant, `select enqueue('queueRun', $1)`, [JSON.stringify(payload)]);
    const both = (list: string) => `select enqueue_jobs(array['queueRun', 'queueRun'], array[${list}])`;
    const together = (list: string, payload: object) => attempt(tenant, both(list), [JSON.stringify(payload)]);
    const mine = `'{"tenantId": "${a}"}'::json`;
    for (const payload of [{ tenantId: b }, {}, { tenantId: null }, { tenantId: '' }, { tenantId: [a] }, { tenantid: a }]) {
      expect([payload, (await enqueue(payload)).refused]).toEqual([payload, '42501']);
      expect([payload, (await together(`${mine}, $1`, payload)).refused]).toEqual([payload, '42501']);
    }
    expect((await together('$1::json', { tenantId: a })).refused).toBe('42501');
    const allowed = [await enqueue({ tenantId: a }), await together('$1::json, $1', { tenantId: a })];
    for (const { refused } of allowed) expect(refused).toBe(tenant === a ? undefined : '42501');
  });
});

describe('the wall itself', () => {
  test('every table has row-level security, enabled and forced for the owner too', async () => {
    const rows = await query<{ name: string; enabled: boolean; forced: boolean }>(
      place.superuserUrl,
      `select relname as name, relrowsecurity as enabled, relforcerowsecurity as forced from pg_class
        where relnamespace = 'skep'::regnamespace and relkind in ('r', 'p') and relname <> 'migrations' order by 1`,
    );
    expect(rows.length).toBe(tables.length + tablesOfNoTenant.length - 1);
    expect(rows.filter(row => !row.enabled || !row.forced)).toEqual([]);
  });

  test('each policy lets the app role see one tenant; nobody else but the engine has one', async () => {
    const { names } = inject('postgres');
    const rows = await query<{ table: string; roles: string; command: string; using: string; check: string }>(
      place.superuserUrl,
      `select tablename as table, array_to_string(roles, ',') as roles, cmd as command, qual as using, with_check as check
         from pg_policies where schemaname = 'skep' order by 1, 2`,
    );
    const wanted = [
      ...tables.map(({ name, tenantColumn }) => {
        const mine = `(${tenantColumn} = current_tenant())`;
        return { table: name, roles: names.app, command: 'ALL', using: mine, check: mine };
      }),
      ...[...tables.map(({ name }) => name), 'blob_chunks', 'event_sequencer', 'servers'].map(table => ({
        table,
        roles: names.engine,
        command: 'ALL',
        using: 'true',
        check: 'true',
      })),
    ];
    const sorted = (list: typeof rows) => list.toSorted((x, y) => `${x.table} ${x.roles}`.localeCompare(`${y.table} ${y.roles}`));
    expect(sorted(rows)).toEqual(sorted(wanted));
  });

  test('no view without security_invoker, and no function but those that enqueue with the rights of its owner', async () => {
    const views = await query(
      place.superuserUrl,
      `select relname from pg_class where relnamespace = 'skep'::regnamespace and relkind in ('v', 'm')
          and not coalesce(reloptions @> '{security_invoker=true}', false)`,
    );
    expect(views).toEqual([]);
    const definers = await query(
      place.superuserUrl,
      `select proname as name, proconfig[1] as config from pg_proc where pronamespace = 'skep'::regnamespace and prosecdef order by 1`,
    );
    expect(definers).toEqual(['enqueue', 'enqueue_jobs'].map(name => ({ name, config: 'search_path=skep, pg_temp' })));
  });

  test('the owner of the tables is behind it too, and no role is above it', async () => {
    expect(await query(place.ownerUrl, 'select from tickets')).toEqual([]);
    const { names } = inject('postgres');
    const strong = await query(
      place.superuserUrl,
      `select rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication from pg_roles where rolname = any ($1) order by 1`,
      [[names.app, names.engine]],
    );
    const none = { rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false, rolreplication: false };
    expect(strong).toEqual([names.app, names.engine].sort().map(rolname => ({ rolname, ...none })));
    const members = await query(
      place.superuserUrl,
      `select from pg_auth_members where member = any (select oid from pg_roles where rolname = any ($1))`,
      [[names.app, names.engine]],
    );
    expect(members).toEqual([]);
  });
});

describe('pooled connections', () => {
  const tenantsSeen = statement<{ seen: string[] }>(
    'tenants_seen',
    'select array_agg(distinct tenant_id::text) as seen from tickets',
  );
  const fails = statement<object>('fails', 'select 1 / 0');

  test.each([1, 2])('200 requests of two tenants over %d of them see their own rows, whatever failed before', async size => {
    const database = openDatabase({
      ...place,
      routes: {},
      clock: systemClock,
      log: silentLog,
      connectionCountMax: size,
    });
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, i) => {
        const tenantId = i % 2 === 0 ? a : b;
        return database
          .request({ tenantId, actor: 'test' }, async tx => {
            const [row] = await tx.query(tenantsSeen);
            if (i % 5 === 0) await tx.query(fails);
            if (i % 7 === 0) throw new Error('the verb failed');
            return row?.seen.join() === tenantId ? 'own' : `${tenantId} saw ${String(row?.seen)}`;
          })
          .catch((error: Error) => error.message);
      }),
    );
    const rest = await database.request({ tenantId: a, actor: 'test' }, async () => 'works');
    await database.close();
    expect(rest).toBe('works');
    const told = new Map([...new Set(answers)].map(answer => [answer, answers.filter(each => each === answer).length]));
    expect(Object.fromEntries(told)).toEqual({ own: 137, 'division by zero': 40, 'the verb failed': 23 });
  });

  test('a connection that comes back from a request has no tenant', async () => {
    const database = openDatabase({ ...place, routes: {}, clock: systemClock, log: silentLog, connectionCountMax: 1 });
    await database.engine({ tenantId: b, actor: 'test' }, async () => {});
    const [row] = await database.enginePool.query(
      statement<{ tenant: string | null }>('tenant_left', `select nullif(current_setting('app.tenant', true), '') as tenant`),
    );
    await database.close();
    expect(row?.tenant).toBeNull();
  });

  test('a tenant id that is no UUID never reaches SQL', async () => {
    const request = place.database.request({ tenantId: `${a}'; drop table x; --`, actor: 'test' }, async () => {});
    await expect(request).rejects.toThrow('must be a UUID');
  });
});

const listTables = `select table_name as name from information_schema.tables where table_schema = 'skep' and table_type = 'BASE TABLE' order by 1`;

async function tablesOfTenants(): Promise<typeof tables> {
  const rows = await query<{ name: string; columns: string[] }>(
    place.superuserUrl,
    `select table_name as name, array_agg(column_name::text) as columns from information_schema.columns
      where table_schema = 'skep' and table_name <> all ($1) group by 1 order by 1`,
    [tablesOfNoTenant],
  );
  return rows.map(row => ({ ...row, tenantColumn: row.name === 'tenants' ? 'id' : 'tenant_id' }));
}

/** What tenant B has, to the last column. */
async function rowsOf(tenant: string): Promise<unknown> {
  const all = tables.map(({ name, tenantColumn }) =>
    query(place.superuserUrl, `select * from ${name} where ${tenantColumn} = $1`, [tenant]),
  );
  return Promise.all(all);
}

interface Attempt {
  readonly rows: Record<string, unknown>[];
  readonly count: number;
  readonly refused?: string;
}

/** Runs it as the app role and takes it back; `refused` is the SQLSTATE. */
async function attempt(tenant: string | undefined, text: string, values: readonly unknown[] = []): Promise<Attempt> {
  await app.query('begin');
  try {
    if (tenant !== undefined) await app.query(`select set_config('app.tenant', $1, true)`, [tenant]);
    // Without values several statements may stand in one text; the last one answers.
    const answer = await (values.length > 0 ? app.query(text, [...values]) : app.query(text));
    const last = ([answer].flat() as pg.QueryResult<Record<string, unknown>>[]).at(-1);
    return { rows: last?.rows ?? [], count: last?.rowCount ?? 0 };
  } catch (error) {
    return { rows: [], count: 0, refused: (error as pg.DatabaseError).code ?? 'no code' };
  } finally {
    await app.query('rollback');
  }
}

/** The driver throws the copied rows away, so they are read from its connection. */
async function copyOut(tenant: string | undefined, text: string): Promise<string> {
  const { connection } = app as unknown as { connection: EventEmitter };
  const chunks: Buffer[] = [];
  const listen = (message: { chunk: Buffer }) => chunks.push(message.chunk);
  connection.on('copyData', listen);
  const { refused } = await attempt(tenant, text);
  connection.off('copyData', listen);
  return refused === undefined ? Buffer.concat(chunks).toString() : '';
}

function noEffect(told: readonly unknown[]): boolean {
  return [0, '42501', '428C9'].includes(told.at(-1) as string);
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, options: '-c search_path=skep' });
  await client.connect();
  return client;
}
