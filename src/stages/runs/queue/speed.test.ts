import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Stages, stagesForTests } from '../../../../test/harness/stages.ts';
import { claimRun } from './claim.sql.ts';

/*
 * What stands first in the queue and cannot be claimed is passed over as a whole. Counted in pages that a claim looks at, which no other
 * load on the machine changes: one by one, the 20,000 would be 150,000 of them.
 */
const barred = 20_000;
const pagesMax = 8_000;

let stages: Stages;
let engine: pg.Client;
beforeAll(async () => {
  stages = await stagesForTests();
  await fill();
  engine = new pg.Client({ connectionString: stages.engineUrl, options: '-c search_path=skep' });
  await engine.connect();
  await engine.query(`prepare claim as ${claimRun.text}`);
});
beforeEach(async () => {
  await stages.sql('delete from run_limits');
  await stages.sql(`update tickets set files = '{}' where files <> '{}'`);
});
afterAll(async () => {
  await engine.end();
  await stages.close({ isByHand: true });
});

/** One project with a long queue that goes first, and ten with a short one. */
async function fill(): Promise<void> {
  await stages.sql(`insert into projects (tenant_id, name) select $1, 'p' || n from generate_series(0, 10) n`, [stages.tenantId]);
  await stages.sql(
    `insert into tickets (tenant_id, id, number, project_id, type, title, status)
       select $1, 'TKT-' || (1000000 + n), n, p.id, 'task', 't', 'ready'
         from generate_series(1, $2 + 200) n join projects p on p.name = case when n <= $2 then 'p0' else 'p' || (1 + n % 10) end`,
    [stages.tenantId, barred],
  );
  await stages.sql(
    `insert into runs (tenant_id, subject_type, subject_id, ticket_id, ticket_status, attempt, state, priority, project_id, agent, requires)
       select t.tenant_id, 'ticket', t.id, t.id, 'ready', 1, 'queued', case p.name when 'p0' then 9 else 5 end, p.id,
              case p.name when 'p0' then 'codex' else 'exec' end,
              case p.name when 'p0' then '{agent:codex,label:gpu}'::text[] else '{agent:exec}' end
         from tickets t join projects p on p.id = t.project_id`,
  );
  await stages.sql('analyze');
}

/** What a claim took, as the rows say, and how many pages it looked at; nothing of it is kept. */
async function look(capabilities: string): Promise<{ pages: number; taken: number }> {
  await engine.query('begin');
  try {
    const { rows } = await engine.query<{
      'QUERY PLAN': [{ Plan: { 'Shared Hit Blocks': number; 'Shared Read Blocks': number } }];
    }>(
      `explain (analyze, buffers, format json) execute claim('${stages.tenantId}', 'w', '\\x00', '${capabilities}', 15000, null, '\\x01')`,
    );
    const { 'Shared Hit Blocks': hit, 'Shared Read Blocks': read } = rows[0]?.['QUERY PLAN'][0].Plan ?? {
      'Shared Hit Blocks': Number.NaN,
      'Shared Read Blocks': 0,
    };
    const { rows: taken } = await engine.query(`select from runs where state = 'leased'`);
    return { pages: hit + read, taken: taken.length };
  } finally {
    await engine.query('rollback');
  }
}

const all = '{agent:exec,agent:codex,label:gpu}';
const limit = (scope: string, scopeId: string, runs: number) =>
  stages.sql(
    `insert into run_limits (tenant_id, scope, scope_id, runs_max) values ($1, $2, coalesce((select id::text from projects where name = $3), $3), $4)`,
    [stages.tenantId, scope, scopeId, runs],
  );

test.each<[string, () => Promise<unknown>, string]>([
  ['nothing stands in the way', async () => {}, all],
  ['its project is at its limit', () => limit('project', 'p0', 0), all],
  ['its kind of agent is at its limit', () => limit('agent', 'codex', 0), all],
  ['no worker has its label', async () => {}, '{agent:exec,agent:codex}'],
  ['there is a limit that is not reached', () => limit('tenant', '', 5), all],
])('a claim is quick where %s', async (_, arrange, capabilities) => {
  await arrange();
  const { pages, taken } = await look(capabilities);
  expect(taken).toBe(1);
  expect(pages).toBeLessThan(pagesMax);
});

test('and where the tenant is at its limit, or nobody can do anything', async () => {
  expect(await look('{}')).toEqual({ taken: 0, pages: expect.toSatisfy((pages: number) => pages < pagesMax) as number });
  await limit('tenant', '', 0);
  expect(await look(all)).toEqual({ taken: 0, pages: expect.toSatisfy((pages: number) => pages < 1_000) as number });
});

/*
 * Compared each with each, the files of these would be 220 million comparisons: more than a minute, in which no other claim of the tenant
 * can be made.
 */
test('and where much is held, and nothing that waits may touch it', { timeout: 60_000 }, async () => {
  const filesOf = (n: string) =>
    `array(select 'packages/module-' || ${n} || '/src/feature/file-number-' || i || '.ts' from generate_series(1, 100) i)`;
  const last = `'packages/module-100/src/feature/file-number-100.ts'`;
  await stages.sql(`update tickets set observed = ${filesOf('number')} || array[${last}] where number <= 1000`);
  const held = `select t.id from tickets t where t.number <= 100`;
  await stages.sql(
    `update runs set state = 'working', worker = 'w', lease_token_hash = '\\x00', fence = 1, leased_at = now(), started_at = now(),
            lease_expires_at = now() + interval '1 hour' where subject_id in (${held})`,
  );
  await stages.sql(`update tickets set status = 'running' where number <= 100`);
  await stages.sql(`update tickets set files = '{src/others.ts}' where number > 1000`);
  await stages.sql(
    `update runs set priority = 20 where subject_id in (select id from tickets where number between 101 and 1000)`,
  );
  const since = performance.now();
  expect((await look(all)).taken).toBe(1);
  expect(performance.now() - since).toBeLessThan(5_000);
});
