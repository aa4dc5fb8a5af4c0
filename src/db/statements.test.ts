import { readdirSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { query, type TestDatabase, testDatabase } from '../../test/harness/database.ts';
import { statement, type Statement } from './statement.ts';

/** Raise it with every statement that is added: fewer means that the walk has lost a file. */
const statementCountMin = 74;

/** Planned by the app role alone; every other statement must suit the engine. */
const appOnly = [
  'close_results',
  'decide_result',
  'delete_budget',
  'delete_dependencies',
  'delete_limit',
  'explain_result',
  'hold_graph',
  'hold_network',
  'hold_templates',
  'insert_dependencies',
  'insert_kill',
  'insert_project',
  'insert_result',
  'insert_session',
  'insert_template_version',
  'insert_templates',
  'put_limit',
  'remove_template',
  'set_network',
  'set_newest_version',
  'set_router_of_tenant',
  'take_numbers',
  'update_agent_model',
  'update_project',
];

interface Found {
  readonly file: string;
  readonly statement: Statement<unknown>;
}

let place: TestDatabase;
let roles: { readonly app: pg.Client; readonly engine: pg.Client };
let all: Found[];

beforeAll(async () => {
  place = await testDatabase();
  await fill();
  roles = { app: await connect(place.appUrl), engine: await connect(place.engineUrl) };
  all = await statements();
});

afterAll(async () => {
  await Promise.all([roles.app.end(), roles.engine.end()]);
  await place.close();
});

describe('every statement', () => {
  test('is found, and has a name of its own', () => {
    expect(all.length).toBeGreaterThanOrEqual(statementCountMin);
    expect(duplicates(all)).toEqual([]);
  });

  test('is planned by the role that uses it', async () => {
    const wrong: string[] = [];
    const byApp: string[] = [];
    for (const { file, statement } of all) {
      const [app, engine] = [await plan(roles.app, statement), await plan(roles.engine, statement)];
      if (app.ok && !engine.ok) byApp.push(statement.name);
      if (!app.ok && !engine.ok) wrong.push(`${file} ${statement.name}: ${engine.why}`);
    }
    expect(wrong).toEqual([]);
    expect(byApp.sort()).toEqual(appOnly);
  });

  test('a wrong one is reported', async () => {
    const misspelt = statement('misspelt', 'select subjekt_id from runs where tenant_id = $1');
    expect(await plan(roles.engine, misspelt)).toEqual({ ok: false, why: 'column "subjekt_id" does not exist' });
    const denied = statement('denied', 'select from servers where id = $1');
    expect(await plan(roles.app, denied)).toEqual({ ok: false, why: 'permission denied for table servers' });
    const found = { file: 'a.sql.ts', statement: misspelt };
    expect(duplicates([found, { ...found, file: 'b.sql.ts' }])).toEqual(['misspelt']);
  });
});

describe(`the plans that carry the engine, on ${inject('postgres').version} with 60,000 runs`, () => {
  test.each(['force_generic_plan', 'force_custom_plan'])('%s: the claim walks the queue in its order', async mode => {
    const text = await planOf('claim_run', mode);
    expect(text).toContain('Index Scan using runs_queue on runs');
    expect(text).not.toMatch(/Sort Key: r|Seq Scan on (runs|tickets)/);
    // What the lanes offer is sorted, and only that.
    expect(text.match(/Sort Key/g)).toHaveLength(1);
  });

  test.each([
    ['claim_runs', 'runs_queue'],
    ['submit_runs', 'runs_tenant_id_id_key'],
    ['begin_work', 'runs_tenant_id_id_key'],
    ['expired_runs', 'runs_held'],
    ['run_of_run_token', 'runs_of_run_token'],
    ['runs_still_held', 'runs_held'],
    ['runs_of_other_health', 'runs_held'],
    ['runs_among_ids', 'runs_tenant_id_id_key'],
    ['end_runs_of_ticket', 'runs_of_ticket'],
    ['end_runs_of_ticket', '(runs_of|one_live_run_a)_subject'],
    ['cancel_runs_of_ticket', 'runs_of_ticket'],
    ['cancel_runs_of_ticket', '(runs_of|one_live_run_a)_subject'],
    ['runs_due_for_long', 'runs_ageing'],
    ['renew_lease', 'runs_tenant_id_id_key'],
    ['lose_run', 'runs_(held|tenant_id_id_key)'],
    ['insert_run', 'runs_of_subject'],
    ['move_ticket', 'tickets_pkey'],
    ['hold_dependants', 'ticket_dependants'],
    ['work_of_spec', 'tickets_of_spec'],
    ['events_after', 'events_of_(tenant|subject)|events_by_position'],
    ['settle_calls', 'model_calls_pkey'],
  ])('%s uses %s', async (name, index) => {
    const text = await planOf(name, 'force_generic_plan');
    expect(text).toMatch(new RegExp(`using (${index})|on (${index})`));
    expect(text).not.toMatch(/Seq Scan on (runs|tickets|events|ticket_dependencies)/);
  });

  test('a heartbeat writes to no index: none knows the end of a lease', async () => {
    const named = `select pg_get_indexdef(indexrelid) as text from pg_index where indrelid = 'skep.runs'::regclass`;
    const indexes = await query<{ text: string }>(place.superuserUrl, named);
    expect(indexes.length).toBeGreaterThan(9);
    expect(indexes.filter(({ text }) => text.includes('lease_expires_at'))).toEqual([]);
  });
});

async function planOf(name: string, mode: string): Promise<string> {
  const found = all.find(each => each.statement.name === name);
  if (found === undefined) throw new Error(`no statement ${name}`);
  const planned = await plan(roles.engine, found.statement, mode);
  if (!planned.ok) throw new Error(planned.why);
  return planned.text;
}

async function statements(): Promise<Found[]> {
  const source = new URL('../', import.meta.url);
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.sql.ts'))
    .sort();
  const modules = await Promise.all(files.map(file => import(new URL(file, source).href) as Promise<object>));
  return modules.flatMap((module, i) =>
    Object.values(module)
      .filter(isStatement)
      .map(found => ({ file: files[i] ?? '', statement: found })),
  );
}

function isStatement(value: unknown): value is Statement<unknown> {
  return typeof value === 'object' && value !== null && 'name' in value && 'text' in value;
}

function duplicates(found: readonly Found[]): string[] {
  const names = found.map(each => each.statement.name);
  return [...new Set(names.filter((name, i) => names.indexOf(name) !== i))];
}

type Planned = { ok: true; text: string } | { ok: false; why: string };

/** Parses and plans it for parameters that are not known yet, which checks columns, types and rights and runs nothing. */
async function plan(client: pg.Client, { name, text }: Statement<unknown>, mode = 'force_generic_plan'): Promise<Planned> {
  const prepared = pg.escapeIdentifier(`${name}_planned`);
  try {
    await client.query(`begin; set local plan_cache_mode = ${mode}; prepare ${prepared} as ${text}`);
    const { rows } = await client.query<{ count: number }>(
      'select cardinality(parameter_types) as count from pg_prepared_statements where name = $1',
      [`${name}_planned`],
    );
    const values = sample(text, rows[0]?.count ?? 0, mode === 'force_custom_plan');
    const { rows: lines } = await client.query<{ 'QUERY PLAN': string }>(
      `explain (costs off) execute ${prepared}${values.length === 0 ? '' : `(${values.join(', ')})`}`,
    );
    return { ok: true, text: lines.map(line => line['QUERY PLAN']).join('\n') };
  } catch (error) {
    return { ok: false, why: (error as Error).message };
  } finally {
    await client.query(`rollback; deallocate all`);
  }
}

const claimValues = [
  `'${'1'.repeat(8)}-0000-4000-8000-000000000000'`,
  `'w'`,
  `'\\x00'`,
  `'{agent:exec}'`,
  '15000',
  'null',
  `'\\x01'`,
];

/** NULLs, but what a worker sends where the plan is made for the values: NULL = anything would plan nothing at all. */
function sample(text: string, count: number, real: boolean): string[] {
  return real && text.includes('run_fences') ? claimValues : Array.from({ length: count }, () => 'null');
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, options: '-c search_path=skep' });
  await client.connect();
  return client;
}

/** Enough rows, five of six runs over, that the planner has to choose as it would at work. */
async function fill(): Promise<void> {
  await query(
    place.superuserUrl,
    `insert into tenants (id, name) values (${claimValues[0]}, 'many');
     insert into projects (id, tenant_id, name) select id, id, 'p' from tenants;
     insert into tickets (tenant_id, id, number, project_id, type, title, status)
       select ${claimValues[0]}, 'TKT-' || (1000 + n), n, ${claimValues[0]}, 'task', 't', 'ready' from generate_series(1, 10000) n;
     insert into ticket_dependencies (tenant_id, ticket_id, needs_id)
       select ${claimValues[0]}, 'TKT-' || (1000 + n), 'TKT-' || (999 + n) from generate_series(2, 10000) n;
     insert into runs (tenant_id, subject_type, subject_id, ticket_id, ticket_status, attempt, state, ended_at, priority)
       select ${claimValues[0]}, 'ticket', 'TKT-' || (1001 + n % 10000), 'TKT-' || (1001 + n % 10000), 'ready', n / 10000,
              case when n < 50000 then 'lost' else 'queued' end, case when n < 50000 then now() end, n % 3
         from generate_series(0, 59999) n;
     update runs set state = 'working', fence = 1, lease_token_hash = '', lease_expires_at = now() where state = 'queued' and priority = 1;
     insert into model_calls (tenant_id, run_id, project_id, agent, wire, provider, model, is_recorded, reserved_microusd, reserved_tokens)
       select r.tenant_id, r.id, r.tenant_id, 'exec', 'chat', 'p', 'm', false, 1, 1 from runs r limit 20000;
     insert into events (tenant_id, type, subject_type, subject_id, actor, position)
       select ${claimValues[0]}, 'run.queued', 'run', n, 'a', n from generate_series(1, 20000) n;
     analyze`,
  );
}
