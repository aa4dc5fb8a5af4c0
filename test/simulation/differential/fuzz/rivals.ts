import { type Statement, statement } from '../../../../src/db/statement.ts';
import type { Dice } from '../../world/dice.ts';
import { hot } from './rows.ts';
import { tenants } from './work.ts';

/** A statement about the few rows that all sessions are after, and its values. */
export interface Rival {
  readonly statement: Statement<unknown>;
  values(dice: Dice): readonly unknown[];
}

const [tenant] = tenants;
const modes = ['update', 'no key update', 'share', 'key share'];
const aRun = (dice: Dice) => [dice.pick(hot.runs)];
const aProject = (dice: Dice) => [dice.pick(hot.projects)];

/** Every lock mode, every kind of key, and what PostgreSQL locks without being asked. */
export const rivals: readonly Rival[] = [
  ...modes.flatMap(mode => [
    rival(`select id from runs where id = $1 for ${mode}`, aRun),
    rival(`select id from runs where id = any ($1::uuid[]) order by id limit 1 for ${mode} skip locked`, () => [hot.runs]),
    rival(`select id, name from projects where id = $1 for ${mode}`, aProject),
  ]),
  rival('update runs set priority = priority + 1 where id = $1 returning priority', aRun),
  rival('update runs set subject_id = $2 where id = $1', dice => [dice.pick(hot.runs), dice.pick(hot.subjects)]),
  rival('update projects set labels = labels || $2::text where id = $1 returning labels', dice => [dice.pick(hot.projects), 'l']),
  rival('update projects set name = $2 where id = $1', dice => [dice.pick(hot.projects), dice.pick(hot.names)]),
  rival(
    `insert into projects (tenant_id, name) values ('${tenant}', $1) on conflict (tenant_id, name) do nothing returning name`,
    aName,
  ),
  rival(
    `insert into projects (tenant_id, name) values ('${tenant}', $1)
           on conflict (tenant_id, name) do update set red_base = 'leave_out' returning id`,
    aName,
  ),
  rival(`insert into projects (tenant_id, name) values ('${tenant}', $1)`, aName),
  rival('delete from projects where name = $1', aName),
  rival(`insert into sessions (tenant_id, project_id, description, state) values ('${tenant}', $1, 'd', 'input')`, aProject),
  rival(
    `insert into runs (tenant_id, subject_type, subject_id, attempt, state) values ('${tenant}', 'ticket', $1, 1, 'queued') on conflict do nothing returning id`,
    dice => [dice.pick(hot.subjects)],
  ),
  rival('delete from run_limits where tenant_id = $1', () => [tenant]),
  rival('update run_limits set runs_max = runs_max + 1 where tenant_id = $1', () => [tenant]),
  rival(
    `insert into budgets (tenant_id, scope, scope_id, cap_tokens) values ('${tenant}', 'agent', $1, 1) on conflict do nothing`,
    aName,
  ),
  rival('update budgets set spent_tokens = spent_tokens + 1 where tenant_id = $1 and scope_id = $2', () => [tenant, '']),
  rival('select hold_budgets()', () => []),
  rival('select pg_advisory_xact_lock($1)', dice => [dice.between(1, 2)]),
  rival('select sequence_events(10)', () => []),
];

function aName(dice: Dice): readonly unknown[] {
  return [dice.pick(hot.names)];
}

function rival(text: string, values: Rival['values']): Rival {
  return { statement: statement(text, text), values };
}
