import type { Upstream } from '../../../src/support/repositories/index.ts';
import { inTexts, type Mutant } from './edits.ts';
import { talking } from './talk.ts';

export type { Mutant } from './edits.ts';

const renews = /set lease_expires_at = clock_timestamp\(\) \+ make_interval/;
const claims = /'run\.leased', 'run'/;
const submits = /set state = 'submitted'/;
const held = /lease_token_hash = [a-z$0-9._]+ and case when r\.lease_expires_at > clock_timestamp\(\) then true end/g;
const isHeld = `lease_expires_at is not null`;

/** Seeds within which each dies. */
export const mutantSeedsMax = 3_000;

/** The ten of the house's list, and those that fit this product. */
export const mutants: readonly Mutant[] = [
  {
    name: 'completeUnfenced',
    what: 'submit_run and submit_runs take a completion from whoever says it, and a run that is taken back already too',
    how: inTexts(
      { where: submits, edit: [held, `state in ('leased', 'starting', 'working', 'lost')`] },
      { where: submits, edit: [`set state = 'submitted'`, `set ended_at = null, state = 'submitted'`] },
    ),
    rules: ['only the last claim writes'],
  },
  {
    name: 'heartbeatUnfenced',
    what: 'renew_lease and start_run keep a lease that has run out',
    how: inTexts({ where: renews, edit: [held, isHeld] }),
    rules: ['only the last claim writes'],
  },
  {
    name: 'workerClockExpiry',
    what: 'the sweep goes by a clock that is a second ahead of the database’s',
    how: inTexts({
      where: /lease_expires_at < clock_timestamp\(\)/,
      edit: ['lease_expires_at < clock_timestamp()', `lease_expires_at < clock_timestamp() + interval '1 second'`],
    }),
    rules: ['a lease that lives is not taken'],
  },
  {
    name: 'noFenceBump',
    what: 'a lost run goes back to the queue as it was, and the next claim keeps its token (an attempt is a row: that is its fence)',
    how: inTexts(
      {
        where: /set state = 'lost'/,
        edit: [
          `set state = 'lost', lease_expires_at = null, ended_at = clock_timestamp()`,
          `set state = 'queued', lease_expires_at = null`,
        ],
      },
      {
        where: claims,
        edit: [/lease_token_hash = (\$3|\(\$5::bytea\[\]\)\[g\.turn\])/g, 'lease_token_hash = coalesce(r.lease_token_hash, $1)'],
      },
    ),
    rules: ['a claim is known by its own token', 'only the last claim writes'],
  },
  {
    name: 'pushUnfenced',
    what: 'a review of any base lets work land, and the head of the trunk moves whatever it was',
    how: inTexts(
      { where: /publish_due_at = clock_timestamp\(\)/, edit: [' and k.head_sha = $3 ', ' and $3::text is not null '] },
      {
        where: /from reviews v where v\.tenant_id = \$1 and v\.trunk_id = \$2 and v\.run_id = \$3/,
        edit: [
          'v.base_sha',
          '(select k.head_sha from trunks k where k.tenant_id = v.tenant_id and k.id = v.trunk_id) as base_sha',
        ],
      },
    ),
    rules: ['the trunk only grows', 'what was reviewed is what lands'],
  },
  {
    name: 'trunkNotKept',
    what: 'who has a turn at the trunk does not keep it: two give it to a change at once, and the queue stands still',
    how: inTexts({ where: /for no key update of k$/, edit: [' for no key update of k', ''] }),
    rules: ['all comes to its end'],
  },
  {
    name: 'noIdempotencyKey',
    what: 'start-build does not look whether its session is built already, and no index says that it has an epic',
    how: {
      ...inTexts(
        {
          where: /as ticket_count\b[\s\S]*type = 'epic'|type = 'epic'[\s\S]*session_id = \$2/,
          edit: [`type = 'epic'`, `type = 'none'`],
        },
        {
          where: /from sessions where tenant_id = \$1 and id = \$2 for no key update$/,
          edit: [' state,', ` case state when 'building' then 'approved' else state end as state,`],
        },
        {
          where: /^update (sessions|specs) set (state|status) = \$3/,
          edit: [
            /and (state|status) = any \(\$([45])::text\[\]\)/g,
            `and ($1 = any ($$$2::text[]) or $1 = $$3 and $1 in ('building', 'executing_tasks'))`,
          ],
        },
      ),
      unkept: ['one_epic_a_session'],
    },
    rules: ['a session is built once'],
  },
  {
    name: 'webhookDedupeRace',
    what: 'a subject that has a run gets a second one, where it is asked for twice at once: no index says that it has one',
    how: { unkept: ['one_live_run_a_subject'] },
    rules: ['a subject has one live run'],
  },
  {
    name: 'approveRejectRace',
    what: 'a change is rejected whatever was decided about it',
    how: inTexts({ where: /set approval = 'not_needed'/, edit: [`and c.state = 'open' and c.approval = 'needed'`, ''] }),
    rules: ['one decision wins'],
  },
  {
    name: 'retryCounterReset',
    what: 'a ticket that is sent back has made no attempt',
    how: inTexts({
      where: /^update tickets t set status = \$3/,
      edit: ['set status = $3,', `set status = $3, attempts = case when $3 = 'ready' then 0 else t.attempts end,`],
    }),
    rules: ['attempts are claims'],
  },
  {
    name: 'brakeIgnored',
    what: 'claim_bars does not know a brake that is on',
    how: inTexts({ where: /FUNCTION skep\.claim_bars/, edit: [`(b.state = 'on' or`, '(false or'] }),
    rules: ['the brake holds'],
  },
  {
    name: 'limitByOne',
    what: 'each limit lets one more through',
    how: inTexts({ where: /FUNCTION skep\.claim_bars/, edit: ['l.runs_max <= (', 'l.runs_max < ('] }),
    rules: ['limits hold'],
  },
  {
    name: 'needsForgotten',
    what: 'the first need that is completed releases a ticket',
    how: inTexts({ where: /status = 'ready', status_reason = null/, edit: [/and not exists \([\s\S]*?<> 'completed'\)/g, ''] }),
    rules: ['needs come first'],
  },
  {
    name: 'filesShared',
    what: 'files are free whoever works on them',
    how: inTexts({ where: /FUNCTION skep\.files_are_free/, edit: [`files = '{}'`, 'true'] }),
    rules: ['files are one agent’s'],
  },
  {
    name: 'claimedEarly',
    what: 'what waits for its next attempt is claimed at once',
    how: inTexts({ where: claims, edit: ['r.due_at <= clock_timestamp()', 'r.due_at is not null'] }),
    rules: ['nothing is claimed early'],
  },
  {
    name: 'publishedLate',
    what: 'a push that is told late takes the word of a later one back',
    how: inTexts({
      where: /set published_sha = \$3/,
      edit: ['k.published_sha is not distinct from $4::text', '$4::text is null or true'],
    }),
    // What is behind is pushed once more at the next change, and where none comes it stays behind for ever: that is seen sooner.
    rules: ['the word of a push is not taken back', 'all comes to its end'],
  },
  {
    name: 'sweepWithoutLook',
    what: 'the sweep takes what had a lease that had run out when it looked, without looking again',
    how: inTexts({
      where: /set state = 'lost'/,
      edit: ['r.lease_expires_at < clock_timestamp()', 'r.lease_expires_at is not null'],
    }),
    rules: ['a lease that lives is not taken'],
  },
  {
    name: 'ticketNotKept',
    what: 'who queues a run does not keep its ticket as it is until then: withdrawn in between, its run waits for ever',
    how: inTexts({ where: /t\.id = \$2 for share of t$/, edit: [' for share of t', ''] }),
    rules: ['all comes to its end'],
  },
  {
    name: 'wrongTicketStatus',
    what: 'a claim does not look whether its ticket is still in the status in which it was queued',
    how: inTexts({ where: claims, edit: ['t.status = r.ticket_status', 't.status is not null'] }),
    // A ticket that was withdrawn is claimed: an edge that its machine has not.
    rules: ['what is claimed is wanted', 'rows go the way of their machine'],
  },
  {
    name: 'pushBlindly',
    what: 'a push goes wherever the branch is, whoever has put it there',
    how: { upstream: overwriting },
    rules: ['what is pushed takes nothing back'],
  },
  ...talking,
];

/** As `git push --force`: what is there is what is expected. */
function overwriting(real: Upstream): Upstream {
  return {
    ...real,
    async publish(repository, push) {
      const { branchAt } = await real.look(repository, push);
      await real.publish(repository, { ...push, expected: branchAt });
    },
  };
}

/**
 * Not here, since nothing that they do can be seen. noRetryComplete (a worker says once that it is done): the lease runs out, the next
 * attempt does it again; the reference simulator found it equivalent too. saidAgain without the token, and bury without the fence: an
 * attempt is a row of its own and has one claim that anybody ever heard of, so there is no stranger who could name it.
 */
export function mutantNamed(name: string): Mutant {
  const found = mutants.find(mutant => mutant.name === name);
  if (found === undefined) throw new Error(`there is no mutant ${name}`);
  return found;
}
