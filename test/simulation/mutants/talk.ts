import { inTexts, type Mutant } from './edits.ts';

const expires = /answer = q\.default_answer/;
const reservesOne = /decided as materialized/;
const isRoom = '(h.spent_microusd + h.reserved_microusd)';

/** Of what is said beside the work: questions, money, and routes around a model that does not answer. */
export const talking: readonly Mutant[] = [
  {
    name: 'answeredTwice',
    what: 'a question that was answered is answered again',
    how: inTexts({ where: /answered_by = \$5/, edit: ['and q.state = any ($6::text[])', 'and $6::text[] is not null'] }),
    rules: ['a question is decided once'],
  },
  {
    name: 'defaultForgotten',
    what: 'a question that nobody has answered in time has no answer, whatever its default was',
    how: inTexts({ where: expires, edit: ['answer = q.default_answer', 'answer = null'] }),
    rules: ['the default holds'],
  },
  {
    name: 'questionCutShort',
    what: 'a question is overdue as soon as it has a time at all',
    how: inTexts(
      { where: /as is_overdue/, edit: ['coalesce(q.due_at <= clock_timestamp(), false)', '(q.due_at is not null)'] },
      { where: expires, edit: ['(not $5 or q.due_at <= clock_timestamp())', '$5::bool is not null'] },
    ),
    rules: ['a question has its time'],
  },
  {
    name: 'answersForgotten',
    what: 'the next attempt is told what no person has answered, and not what one has',
    how: inTexts({
      where: /and q\.created_at >= \$5 and \(q\.state = 'answered' or/,
      edit: [`q.state = 'answered' or`, 'false or'],
    }),
    rules: ['an agent is told what was decided'],
  },
  {
    name: 'goesOnUnanswered',
    what: 'who looks at a question that waits takes it for one that is answered',
    how: inTexts({
      where: /^select q\.id, q\.kind[\s\S]*where q\.tenant_id = \$1 and q\.id = \$2$/,
      edit: ['q.state,', `case q.state when 'pending' then 'answered' else q.state end as state,`],
    }),
    rules: ['who waits for an answer goes on with it', 'an agent is told what was decided'],
  },
  {
    name: 'capWithoutReserved',
    what: 'what others have reserved is not looked at when a call is granted',
    how: inTexts({ where: reservesOne, edit: [isRoom, 'h.spent_microusd'] }),
    rules: ['no cap is passed'],
  },
  {
    name: 'reservationKept',
    what: 'a call that is settled gives back nothing of what it had reserved',
    how: inTexts({
      where: /as held_microusd/,
      edit: [`case c.state when 'reserved' then c.reserved_microusd else 0 end as held_microusd`, '0 as held_microusd'],
    }),
    rules: ['the books balance'],
  },
  {
    name: 'settledAgain',
    what: 'a call that is settled twice, since the first answer was lost, gives back twice what it had reserved',
    how: inTexts(
      {
        where: /as held_microusd/,
        edit: [
          `case c.state when 'reserved' then c.reserved_microusd else 0 end as held_microusd`,
          'c.reserved_microusd as held_microusd',
        ],
      },
      { where: /as held_microusd/, edit: [`c.state in ('reserved', 'lost')`, 'c.state is not null'] },
    ),
    rules: ['the books balance', 'a call is settled once'],
  },
  {
    name: 'tokenOutlivesLease',
    what: 'a run token is worth something when the lease of its run is over',
    how: inTexts({
      where: /r\.run_token_hash = \$1/,
      edit: [` and r.state in ('leased', 'starting', 'working') and r.lease_expires_at > clock_timestamp()`, ''],
    }),
    rules: ['a run token dies with its claim'],
  },
  {
    name: 'breakerUnread',
    what: 'a run is queued as if every model answered',
    how: inTexts({
      where: /b\.retry_at <= clock_timestamp\(\) as is_due/,
      edit: [/where b\.retry_at > clock_timestamp\(\) - interval '[^']*'/g, 'where b.retry_at is null'],
    }),
    rules: ['an open route gives out no run'],
  },
  {
    name: 'waitingNotRerouted',
    what: 'what waits when a breaker opens keeps the template that it waits with',
    how: inTexts({
      where: /set template = \$4, fallback_of = \$5/,
      edit: ['r.template is distinct from $4 or r.fallback_of is distinct from $5', 'false'],
    }),
    rules: ['an open route gives out no run'],
  },
];
