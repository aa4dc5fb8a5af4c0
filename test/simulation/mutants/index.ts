import type { Upstream } from '../../../src/support/repositories/index.ts';
import type { SimulateOptions } from '../simulate.ts';

/** A product with a fault put in, which the oracle must see. */
export interface Mutant {
  readonly name: string;
  /** What is taken away, and where it stands. */
  readonly what: string;
  readonly how: Pick<SimulateOptions, 'rewrite' | 'upstream'>;
  /** Seeds within which it dies. */
  readonly seedsMax: number;
}

type Edit = readonly [from: string | RegExp, to: string];

/** Texts that hold the first of these words are changed; a mutant that changes no text would be none. */
function inTexts(...edits: readonly { readonly where: RegExp; readonly edit: Edit }[]): Mutant['how'] {
  return {
    rewrite: text =>
      edits.reduce(
        (changed, { where, edit: [from, to] }) => (where.test(text) ? changed.replaceAll(asGlobal(from), to) : changed),
        text,
      ),
  };
}

function asGlobal(from: string | RegExp): RegExp {
  return typeof from === 'string' ? new RegExp(from.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'g') : from;
}

const renews = /set lease_expires_at = clock_timestamp\(\) \+ make_interval/;
const claims = /'run\.leased', 'run'/;
const submits = /set state = 'submitted'/;
const held = /lease_token_hash = [a-z$0-9._]+ and case when r\.lease_expires_at > clock_timestamp\(\) then true end/g;
const isHeld = `lease_expires_at is not null`;

/** The ten of the house's list, and those that fit this product. */
export const mutants: readonly Mutant[] = [
  {
    name: 'completeUnfenced',
    what: 'submit_run and submit_runs take a completion from whoever says it, and a run that is taken back already too',
    how: inTexts(
      { where: submits, edit: [held, `state in ('leased', 'starting', 'working', 'lost')`] },
      { where: submits, edit: [`set state = 'submitted'`, `set ended_at = null, state = 'submitted'`] },
    ),
    seedsMax: 3_000,
  },
  {
    name: 'heartbeatUnfenced',
    what: 'renew_lease and start_run keep a lease that has run out',
    how: inTexts({ where: renews, edit: [held, isHeld] }),
    seedsMax: 3_000,
  },
  {
    name: 'workerClockExpiry',
    what: 'the sweep goes by a clock that is a second ahead of the database’s',
    how: inTexts({
      where: /lease_expires_at < clock_timestamp\(\)/,
      edit: ['lease_expires_at < clock_timestamp()', `lease_expires_at < clock_timestamp() + interval '1 second'`],
    }),
    seedsMax: 3_000,
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
    seedsMax: 3_000,
  },
  {
    name: 'pushUnfenced',
    what: 'the trunk is not locked and its head moves whatever it was',
    how: inTexts(
      { where: /publish_due_at = clock_timestamp\(\)/, edit: [' and k.head_sha = $3 ', ' and $3::text is not null '] },
      { where: /for no key update of k$/, edit: [' for no key update of k', ''] },
    ),
    seedsMax: 3_000,
  },
  {
    name: 'noIdempotencyKey',
    what: 'start-build does not look whether there is an epic already, and moves session and spec from any state',
    how: inTexts(
      {
        where: /as ticket_count\b[\s\S]*type = 'epic'|type = 'epic'[\s\S]*session_id = \$2/,
        edit: [`type = 'epic'`, `type = 'none'`],
      },
      {
        where: /^update (sessions|specs) set (state|status) = \$3/,
        edit: [/and (state|status) = any \(\$[45]::text\[\]\)/g, ''],
      },
    ),
    seedsMax: 3_000,
  },
  {
    name: 'webhookDedupeRace',
    what: 'a second run for a subject that has one is no matter of course any more: insert_run without on conflict',
    how: inTexts({ where: /insert into runs as r/, edit: ['on conflict do nothing', ''] }),
    seedsMax: 3_000,
  },
  {
    name: 'approveRejectRace',
    what: 'a change is rejected whatever was decided about it',
    how: inTexts({ where: /set approval = 'not_needed'/, edit: [`and c.state = 'open' and c.approval = 'needed'`, ''] }),
    seedsMax: 3_000,
  },
  {
    name: 'retryCounterReset',
    what: 'a ticket that is sent back has made no attempt',
    how: inTexts({
      where: /^update tickets t set status = \$3/,
      edit: ['set status = $3,', `set status = $3, attempts = case when $3 = 'ready' then 0 else t.attempts end,`],
    }),
    seedsMax: 3_000,
  },
  {
    name: 'brakeIgnored',
    what: 'claim_bars does not know a brake that is on',
    how: inTexts({ where: /FUNCTION skep\.claim_bars/, edit: [`(b.state = 'on' or`, '(false or'] }),
    seedsMax: 3_000,
  },
  {
    name: 'limitByOne',
    what: 'each limit lets one more through',
    how: inTexts({ where: /FUNCTION skep\.claim_bars/, edit: ['l.runs_max <= (', 'l.runs_max < ('] }),
    seedsMax: 3_000,
  },
  {
    name: 'needsForgotten',
    what: 'the first need that is completed releases a ticket',
    how: inTexts({ where: /status = 'ready', status_reason = null/, edit: [/and not exists \([\s\S]*?<> 'completed'\)/g, ''] }),
    seedsMax: 3_000,
  },
  {
    name: 'filesShared',
    what: 'files are free whoever works on them',
    how: inTexts({ where: /FUNCTION skep\.files_are_free/, edit: [`files = '{}'`, 'true'] }),
    seedsMax: 3_000,
  },
  {
    name: 'claimedEarly',
    what: 'what waits for its next attempt is claimed at once',
    how: inTexts({ where: claims, edit: ['r.due_at <= clock_timestamp()', 'r.due_at is not null'] }),
    seedsMax: 3_000,
  },
  {
    name: 'publishedLate',
    what: 'a push that is told late takes the word of a later one back',
    how: inTexts({
      where: /set published_sha = \$3/,
      edit: ['k.published_sha is not distinct from $4::text', '$4::text is null or true'],
    }),
    seedsMax: 3_000,
  },
  {
    name: 'sweepWithoutLook',
    what: 'the sweep takes what had a lease that had run out when it looked, without looking again',
    how: inTexts({
      where: /set state = 'lost'/,
      edit: ['r.lease_expires_at < clock_timestamp()', 'r.lease_expires_at is not null'],
    }),
    seedsMax: 3_000,
  },
  {
    name: 'ticketNotKept',
    what: 'who queues a run does not keep its ticket as it is until then: withdrawn in between, its run waits for ever',
    how: inTexts({ where: /t\.id = \$2 for share of t$/, edit: [' for share of t', ''] }),
    seedsMax: 3_000,
  },
  {
    name: 'wrongTicketStatus',
    what: 'a claim does not look whether its ticket is still in the status in which it was queued',
    how: inTexts({ where: claims, edit: ['t.status = r.ticket_status', 't.status is not null'] }),
    seedsMax: 3_000,
  },
  {
    name: 'pushBlindly',
    what: 'a push goes wherever the branch is, whoever has put it there',
    how: { upstream: overwriting },
    seedsMax: 3_000,
  },
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
