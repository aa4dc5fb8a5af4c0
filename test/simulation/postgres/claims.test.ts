import { beforeEach, expect, test } from 'vitest';
import { claimRun } from '../../../src/stages/runs/queue/claim.sql.ts';
import { ageRunRow } from '../../../src/stages/runs/queue/place.sql.ts';
import { insertRun } from '../../../src/stages/runs/runs.sql.ts';
import { Blocked, openMemoryPostgres } from './index.ts';
import type { Session } from './types.ts';

/** The one statement in which everything meets: functions, recursion, locks that are passed over, parts that write. */

const tenant = '00000000-0000-4000-8000-0000000000aa';
const project = '00000000-0000-4000-8000-0000000000bb';
let now: number;
let count: number;
let session: Session;
let connect: () => Session;

beforeEach(() => {
  [now, count] = [Date.UTC(2026, 0, 2), 0];
  const uuid = () => `00000000-0000-4000-8000-${String(++count).padStart(12, '0')}`;
  const postgres = openMemoryPostgres({ now: () => now, random: () => 0, uuid });
  connect = () => postgres.connect('engine');
  session = connect();
  session.run(`insert into tenants (id, name) values ($1, 'a')`, [tenant]);
  session.run(`insert into projects (id, tenant_id, name) values ($2, $1, 'p')`, [tenant, project]);
});

/** Tickets that touch these files, and a run of each. */
function queue(...files: string[][]): void {
  for (const [i, each] of files.entries()) {
    const id = `TKT-10${i}`;
    session.run(
      `insert into tickets (tenant_id, id, number, project_id, type, title, status, files) values ($1, $2, $3, $4, 'task', '', 'ready', $5)`,
      [tenant, id, i, project, each],
    );
    session.run(insertRun.text, [tenant, 'ticket', id, id, 'ready', 0, 0, ['agent:exec'], null, 0, null, null]);
    now += 1000;
  }
}

function claim(by = session, abilities = ['agent:exec', 'isolation:namespaces']): unknown {
  const token = Buffer.from(`token ${++count}`);
  const [run, ...more] = by.run(claimRun.text, [tenant, 'w', token, abilities, 15_000, null, token]);
  expect(more).toEqual([]);
  return run?.['subject_id'];
}

test('claims take the oldest of the queue, each once, with its ticket and both events', () => {
  queue([], []);
  expect([claim(), claim(), claim()]).toEqual(['TKT-100', 'TKT-101', undefined]);
  expect(session.run('select id, status, attempts from tickets order by id')).toEqual([
    { id: 'TKT-100', status: 'claimed', attempts: 1 },
    { id: 'TKT-101', status: 'claimed', attempts: 1 },
  ]);
  expect(session.run('select type, subject_id from events order by id').map(row => row['type'])).toEqual([
    'run.leased',
    'ticket.claimed',
    'run.leased',
    'ticket.claimed',
  ]);
});

test('what another claim has locked, or another worker must do, is passed over', () => {
  queue([], []);
  const other = connect();
  other.begin();
  expect(claim(other)).toBe('TKT-100');
  expect(claim()).toBe('TKT-101');
  other.rollback();
  expect(claim(session, ['agent:other'])).toBeUndefined();
  expect(claim()).toBe('TKT-100');
});

test('files that a run holds are not given to another', () => {
  queue(['src/a.ts'], ['src'], ['src/b.ts'], ['docs']);
  expect([claim(), claim(), claim(), claim()]).toEqual(['TKT-100', 'TKT-102', 'TKT-103', undefined]);
});

test('for what has waited long its files are kept free', () => {
  queue(['src/a.ts'], ['src'], ['src/b.ts']);
  expect(claim()).toBe('TKT-100');
  const [aged] = session.run(`select id from runs where subject_id = 'TKT-101'`);
  expect(session.run(ageRunRow.text, [tenant, aged?.['id'], 100])).toHaveLength(1);
  expect(claim()).toBeUndefined();
  session.run(`update runs set state = 'lost', lease_expires_at = null, ended_at = now() where subject_id = 'TKT-100'`);
  expect([claim(), claim()]).toEqual(['TKT-101', undefined]);
});

test('limits and the brake bar claims, which take turns while there are any', () => {
  queue([], [], []);
  const limit = (scope: string, id: string, max: number) =>
    session.run(`insert into run_limits (tenant_id, scope, scope_id, runs_max) values ($1, $2, $3, $4)`, [
      tenant,
      scope,
      id,
      max,
    ]);
  limit('tenant', '', 2);
  limit('agent', 'exec', 1);
  expect([claim(), claim()]).toEqual(['TKT-100', undefined]);
  session.run(`delete from run_limits where scope = 'agent'`);
  const other = connect();
  other.begin();
  expect(claim(other)).toBe('TKT-101');
  expect(() => claim()).toThrow(Blocked);
  other.commit();
  expect(claim()).toBeUndefined();
  session.run('delete from run_limits');
  session.run(`insert into brakes (tenant_id, state) values ($1, 'on')`, [tenant]);
  expect(claim()).toBeUndefined();
  now += 1;
  session.run(`update brakes set state = 'trying', changed_at = clock_timestamp()`);
  expect(claim()).toBe('TKT-102');
});

test('where the first of the queue cannot be claimed, the lanes are asked', () => {
  queue(...Array.from({ length: 9 }, () => ['src/a.ts']), ['docs']);
  session.run(
    `insert into runs (tenant_id, subject_type, subject_id, attempt, state, ticket_id, ticket_status, requires, project_id, agent, created_at)
     select tenant_id, 'diagnosis', 'd' || n, 1, 'queued', id, 'ready', '{agent:other}', project_id, 'other', now() - interval '1 day'
       from tickets, generate_series(1, 30) n where id = 'TKT-109'`,
  );
  expect(claim()).toBe('TKT-100');
  expect(claim()).toBe('TKT-109');
});
