import { statement } from '../../db/statement.ts';
import { higher, levelOf } from './levels.sql.ts';

/** `lacking`: of a budget for each one there is none yet for this one. `wait`: only others' reservations stand in the way. */
export interface DecidedRow {
  readonly kind: 'granted' | 'wait' | 'spent' | 'unpriced' | 'lacking';
  /** Of a granted call. */
  readonly callId: string | null;
  readonly outputTokens: number | null;
  /** The one that stands in the way, with its caps as they were when it did. */
  readonly budgetId: string | null;
  readonly capMicrousd: number | null;
  readonly capTokens: number | null;
}

/** The scopes that a run is in; of what it has none of, null. */
export const scopesOfRun = `(values ('tenant', ''), ('run', $2::uuid::text), ('project', $3::uuid::text), ('spec', $4::uuid::text),
    ('ticket', $5::text), ('agent', $6::text)) as s (scope, scope_id)`;

/** More than any room; what a counter can hold, and a JavaScript number too. */
const plenty = '9000000000000000';
const inputCost = '$11::numeric * $14::numeric';
const outputMin = 'least($13::bigint, $12::bigint)';
const quarter = '($12::bigint + 3) / 4';

/** How many tokens of an answer fit into what is left of a cap in money; `used` goes off it. */
const roomOfMoney = (used: string) => {
  const left = `((h.cap_microusd - ${used}) * 1000000.0 - ${inputCost})`;
  return `case when h.cap_microusd is null or $14::numeric is null then null when ${left} < 0 then -1
               when $15::numeric = 0 then ${plenty} else div(${left}, $15::numeric) end`;
};
const roomOfTokens = (used: string) => `h.cap_tokens - ${used} - $11::bigint`;

/**
 * Grants a call in every budget that applies, or in none, and notes it.
 *
 * The budgets' rows are locked in the order of their ids, by every statement that locks several, so that no two wait for each other;
 * `for no key update`, as everywhere. A row that somebody else has changed since this statement began is read again when its lock is
 * given, so `held` has the counters as they are under the lock, and what is decided on them still holds when `moved` writes: nobody can
 * write in between. `moved` finds the row as it was when the statement began, and so is led to its newest version by PostgreSQL too.
 *
 * $11 input, $12 output asked for, $13 output of use; $14, $15 micro-USD per million tokens of these, null where unknown; $17: the last
 * try, which takes the least that is of use.
 */
export const reserveCall = statement<DecidedRow>(
  'reserve_call',
  `with lacking as materialized (
     select t.id from ${scopesOfRun} join budgets t on t.tenant_id = $1 and t.scope = s.scope and t.scope_id = '*'
      where s.scope_id is not null
        and not exists (select from budgets b where b.tenant_id = $1 and b.scope = s.scope and b.scope_id = s.scope_id)
   ), held as materialized (
     select b.id, b.cap_microusd, b.cap_tokens, b.spent_microusd, b.spent_tokens, b.reserved_microusd, b.reserved_tokens
       from ${scopesOfRun} join budgets b on b.tenant_id = $1 and b.scope = s.scope and b.scope_id = s.scope_id
      order by b.id for no key update of b
   ), rooms as (
     select h.id, h.cap_microusd is not null as caps_money,
            least(${roomOfMoney('(h.spent_microusd + h.reserved_microusd)')}, ${roomOfTokens('(h.spent_tokens + h.reserved_tokens)')}) as room,
            least(${roomOfMoney('h.spent_microusd')}, ${roomOfTokens('h.spent_tokens')}) as room_alone
       from held h
   ), tightest as (
     select coalesce(least(min(room), ${plenty}), ${plenty}) as room, coalesce(min(room_alone), ${plenty}) as room_alone,
            coalesce(bool_or(caps_money), false) as caps_money, coalesce(array_agg(id order by id), '{}') as ids,
            (array_agg(id order by room, id))[1] as of_room, (array_agg(id order by room_alone, id))[1] as of_room_alone,
            (array_agg(id order by id) filter (where caps_money))[1] as of_money
       from rooms
   ), offered as (
     select t.*, case when room >= $12::bigint then $12::bigint
                      when room >= greatest(${outputMin}, ${quarter}) then room::bigint
                      -- Whatever the others give back, it will be no quarter.
                      when room >= ${outputMin} and room_alone < ${quarter} then room::bigint
                      when room >= ${outputMin} and $17::boolean then ${outputMin} end as output
       from tightest t
   ), decided as materialized (
     select o.*, case when exists (select from lacking) then 'lacking'
                      when caps_money and $14::numeric is null then 'unpriced'
                      when output is not null then 'granted'
                      when room_alone >= ${outputMin} then 'wait' else 'spent' end as kind,
            least(coalesce(ceil((${inputCost} + output * $15::numeric) * 0.000001), 0), ${plenty})::bigint as microusd,
            $11::bigint + output as tokens
       from offered o
   ), moved as (
     update budgets b set reserved_microusd = b.reserved_microusd + d.microusd, reserved_tokens = b.reserved_tokens + d.tokens
       from held h, decided d where b.id = h.id and d.kind = 'granted'
   ), called as (
     insert into model_calls (tenant_id, run_id, project_id, spec_id, ticket_id, agent, wire, provider, model, is_recorded,
                              reserved_microusd, reserved_tokens, price_date, budget_ids)
     select $1, $2::uuid, $3::uuid, $4::uuid, $5, $6, $7, $8, $9, $10::boolean, d.microusd, d.tokens, $16, d.ids
       from decided d where d.kind = 'granted' returning id
   )
   select d.kind, c.id as call_id, d.output as output_tokens, h.id as budget_id, h.cap_microusd, h.cap_tokens
     from decided d left join called c on true
     left join held h on h.id = case d.kind when 'wait' then d.of_room when 'spent' then d.of_room_alone when 'unpriced' then d.of_money end`,
);

/** What each of several calls is asked for, as JSON: the same as the parameters of reserve_call. */
const wants = `jsonb_to_recordset($2::jsonb) as w (id uuid, run_id uuid, project_id uuid, spec_id uuid, ticket_id text, agent text, wire text,
  provider text, model text, is_recorded boolean, input_tokens bigint, output_tokens bigint, price_input numeric, price_output numeric,
  price_date text)`;

/**
 * Grants several calls all that they ask for, or does nothing where one of them does not fit beside the others: then each is to be asked
 * for alone. The rows of a budget that all of them share are locked and written once, and there is one commit.
 */
export const reserveCalls = statement<{ id: string }>(
  'reserve_calls',
  `with wanted as materialized (
     select w.*, w.input_tokens + w.output_tokens as tokens,
            least(coalesce(ceil((w.input_tokens * w.price_input + w.output_tokens * w.price_output) * 0.000001), 0), ${plenty})::bigint as microusd
       from ${wants}
   ), scopes as materialized (
     select w.id as call_id, s.scope, s.scope_id
       from wanted w cross join lateral (values ('tenant', ''), ('run', w.run_id::text), ('project', w.project_id::text),
              ('spec', w.spec_id::text), ('ticket', w.ticket_id), ('agent', w.agent)) as s (scope, scope_id)
      where s.scope_id is not null
   ), named as materialized (
     select distinct scope, scope_id from scopes
   ), lacking as materialized (
     select t.id from named s join budgets t on t.tenant_id = $1 and t.scope = s.scope and t.scope_id = '*'
      where not exists (select from budgets b where b.tenant_id = $1 and b.scope = s.scope and b.scope_id = s.scope_id)
   ), held as materialized (
     select b.id, b.scope, b.scope_id, b.cap_microusd, b.cap_tokens, b.spent_microusd + b.reserved_microusd as microusd,
            b.spent_tokens + b.reserved_tokens as tokens
       from named s join budgets b on b.tenant_id = $1 and b.scope = s.scope and b.scope_id = s.scope_id
      order by b.id for no key update of b
   ), applying as materialized (
     select s.call_id, h.id from scopes s join held h on h.scope = s.scope and h.scope_id = s.scope_id
   ), asked as materialized (
     select a.id, sum(w.microusd)::bigint as microusd, sum(w.tokens)::bigint as tokens, bool_and(w.price_date is not null) as is_priced
       from applying a join wanted w on w.id = a.call_id group by a.id
   ), fitting as materialized (
     select not exists (select from lacking) and coalesce(bool_and(
              (h.cap_microusd is null or (a.is_priced and h.microusd + a.microusd <= h.cap_microusd))
              and (h.cap_tokens is null or h.tokens + a.tokens <= h.cap_tokens)), true) as fits
       from held h join asked a on a.id = h.id
   ), moved as (
     update budgets b set reserved_microusd = b.reserved_microusd + a.microusd, reserved_tokens = b.reserved_tokens + a.tokens
       from asked a, fitting f where b.id = a.id and f.fits
   )
   insert into model_calls (id, tenant_id, run_id, project_id, spec_id, ticket_id, agent, wire, provider, model, is_recorded,
                            reserved_microusd, reserved_tokens, price_date, budget_ids)
   select w.id, $1, w.run_id, w.project_id, w.spec_id, w.ticket_id, w.agent, w.wire, w.provider, w.model, w.is_recorded,
          w.microusd, w.tokens, w.price_date, array(select a.id from applying a where a.call_id = w.id order by a.id)
     from wanted w, fitting f where f.fits returning id`,
);

interface Closing {
  /** The calls that are to be closed, as `call_id`, with what is told of each; in the order of their ids. */
  readonly given: string;
  /** Which of them, of `model_calls c`. */
  readonly of: string;
  /** What a call is charged, of `model_calls c` and `given g`. */
  readonly microusd: string;
  readonly tokens: string;
  /** What else is written, of `open o` and `given g`. */
  readonly sets: string;
}

/**
 * Closes calls and moves what they had reserved to what is spent, in every budget that holds it; tells of levels that were reached. Calls
 * are locked before budgets, each in the order of their ids. One that counted as lost is charged anew by whoever saw its end after all.
 * By its id alone each call is found, and not also by its tenant: the planner, which may know the table only as it was when it was empty,
 * could otherwise choose to walk all calls of the tenant.
 */
const closing = ({ given, of, microusd, tokens, sets }: Closing) => `
  with given as materialized (
    ${given}
  ), open as materialized (
    select c.*, g.call_id
      from given g cross join lateral (
        select c.id, c.run_id, c.budget_ids, c.charged_microusd, c.charged_tokens, (${microusd}) as microusd, (${tokens}) as tokens,
               case c.state when 'reserved' then c.reserved_microusd else 0 end as held_microusd,
               case c.state when 'reserved' then c.reserved_tokens else 0 end as held_tokens
          from model_calls c where c.id = g.call_id and (c.tenant_id = $1) is true and ${of} for no key update of c) c
  ), closed as (
    update model_calls c set ended_at = clock_timestamp(), charged_microusd = o.microusd, charged_tokens = o.tokens, ${sets}
      from open o join given g on g.call_id = o.id where c.id = o.id
  ), counted as materialized (
    select n.id, sum(o.held_microusd)::bigint as held_microusd, sum(o.held_tokens)::bigint as held_tokens,
           sum(o.microusd - o.charged_microusd)::bigint as microusd, sum(o.tokens - o.charged_tokens)::bigint as tokens,
           min(o.run_id::text) as run_id
      from open o cross join unnest(o.budget_ids) as n (id) group by n.id
  ), held as materialized (
    select b.id, b.level from counted n join budgets b on b.id = n.id order by b.id for no key update of b
  ), moved as (
    update budgets b set reserved_microusd = b.reserved_microusd - n.held_microusd, reserved_tokens = b.reserved_tokens - n.held_tokens,
           spent_microusd = ${spentAfter.microusd}, spent_tokens = ${spentAfter.tokens}, level = ${higher('b.level', levelOf(spentAfter))}
      from held h, counted n where b.id = h.id and n.id = h.id
    returning b.*, h.level as level_before, n.run_id
  ), told as (
    insert into events (tenant_id, type, subject_type, subject_id, actor, payload)
    select m.tenant_id, 'budget.' || m.level, 'budget', m.id::text, 'run:' || m.run_id,
           jsonb_build_object('scope', m.scope, 'scopeId', m.scope_id, 'level', m.level, 'capMicroUsd', m.cap_microusd,
                              'spentMicroUsd', m.spent_microusd, 'capTokens', m.cap_tokens, 'spentTokens', m.spent_tokens)
      from moved m where m.level <> m.level_before returning id
  )
  select array(select id from open) as closed, (select count(*) from told) as told`;

const spentAfter = { microusd: 'b.spent_microusd + n.microusd', tokens: 'b.spent_tokens + n.tokens' };

/** Types of events that settle_calls and lose_call write by themselves, past the flow: none of them may start a verb. */
export const settleEvents = ['budget.warned', 'budget.alerted', 'budget.spent'] as const;

export interface ClosedRow {
  /** Ids of those that were not closed already. */
  readonly closed: string[];
  readonly told: number;
}

const usedTokens = 'g.input_tokens + g.output_tokens + g.cached_tokens + g.cache_write_tokens';

/**
 * $2 as JSON; the cost is null where nobody knows the price: where there was one when it was reserved, so that a cap in money holds, the
 * budgets are charged what was reserved.
 */
export const settleCalls = statement<ClosedRow>(
  'settle_calls',
  closing({
    given: `select * from jsonb_to_recordset($2::jsonb) as g (call_id uuid, state text, status int, error_class text, attempts int,
      provider text, model text, input_tokens bigint, output_tokens bigint, cached_tokens bigint, cache_write_tokens bigint,
      reasoning_tokens bigint, cost_microusd bigint, first_byte_ms int) order by call_id`,
    of: `c.state in ('reserved', 'lost')`,
    microusd: `coalesce(g.cost_microusd, case when c.price_date is not null and ${usedTokens} > 0 then c.reserved_microusd else 0 end)`,
    tokens: usedTokens,
    sets: `state = g.state, status = g.status, error_class = g.error_class, attempts = g.attempts, provider = g.provider, model = g.model,
           input_tokens = g.input_tokens, output_tokens = g.output_tokens, cached_tokens = g.cached_tokens,
           cache_write_tokens = g.cache_write_tokens, reasoning_tokens = g.reasoning_tokens, cost_microusd = g.cost_microusd,
           first_byte_ms = g.first_byte_ms`,
  }),
);

/** Nobody saw how the call ended: it is charged all that it had reserved, since the provider may have been paid that much. */
export const loseCall = statement<ClosedRow>(
  'lose_call',
  closing({
    given: 'select $2::uuid as call_id',
    of: `c.state = 'reserved'`,
    microusd: 'c.reserved_microusd',
    tokens: 'c.reserved_tokens',
    sets: `state = 'lost', cost_microusd = case when c.price_date is not null then o.microusd end`,
  }),
);

/** Longer than the gateway lets any call take. */
const callMsMax = 31 * 60_000;
/** The gateway cuts the calls of a run that is over within seconds, and settles them. */
const overMs = 60_000;
const before = (ms: string) => `clock_timestamp() - make_interval(secs => ${ms} / 1000.0)`;

/** Calls that should have been settled long ago: their server is gone. */
export const callsUnsettled = statement<{ tenantId: string; id: string }>(
  'calls_unsettled',
  `select c.tenant_id, c.id from model_calls c join runs r on r.tenant_id = c.tenant_id and r.id = c.run_id
    where c.state = 'reserved' and c.started_at < ${before(`greatest($1::int, ${overMs})`)}
      and (c.started_at < ${before(`${callMsMax}`)}
        or (r.lease_expires_at is null and coalesce(r.ended_at, '-infinity') < ${before(`${overMs}`)}))
    order by c.started_at limit 100`,
);
