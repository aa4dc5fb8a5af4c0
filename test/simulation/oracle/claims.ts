import { hashSecret } from '../../../src/kernel/secret.ts';
import {
  becomes,
  changesOf,
  type Commit,
  isHeld,
  isLive,
  type Rule,
  type RunFacts,
  type Snapshot,
  type Spoken,
  type Violate,
} from './types.ts';

/** A claim as it was given out, in the oracle's own numbers. */
interface Claim {
  readonly number: number;
  readonly runId: string;
  readonly subject: string;
  readonly worker: string | null;
  readonly token: string;
  /** By the database's clock, counted by the oracle from what it has seen. */
  leaseUntil: number;
  /** What it ended as. */
  end: string | undefined;
  endedAt: number;
  isHolderDead: boolean;
}

export interface Claims extends Rule {
  /** A worker was told that its call went well; `since`: when the call was made. */
  told(kind: 'heartbeat' | 'write' | 'complete' | 'fail' | 'park', token: string, since: number): void;
  /** The process that heard of this claim is dead. */
  died(token: string): void;
  /** How many claims were given out. */
  readonly count: number;
}

/**
 * Who holds what. A claim is known by the token that was said when it was made, never by the product's fence: one holder at a time whose
 * lease lives by the database's time; what is written in the name of a run is said by its last claim; an end is accepted once.
 */
export function createClaims({ leaseMs, violate }: { readonly leaseMs: number; readonly violate: Violate }): Claims {
  const byToken = new Map<string, Claim>();
  const lastOfRun = new Map<string, Claim>();
  const lastOfSubject = new Map<string, Claim>();
  let count = 0;

  function look(commit: Commit, now: Snapshot): void {
    const runs = changesOf(commit, 'runs');
    for (const change of runs) if (isHeld(change.before) && !isHeld(change.after)) end(change.before, change.after, commit);
    for (const change of runs) {
      if (becomes(change, 'leased') && change.after !== undefined) begin(change.after, commit);
      else if (isHeld(change.before) && isHeld(change.after)) goOn(change.before, change.after, commit);
    }
    for (const { table, before, after } of commit.changes) {
      if (before !== undefined || after === undefined) continue;
      if (table === 'run_logs' || (table === 'blobs' && after['kind'] === 'bundle'))
        byHolder(String(after['run_id']), table, commit);
    }
    for (const { before, after } of runs) if (before === undefined && isLive(after)) refuseSecond(after, now);
  }

  function refuseSecond(run: RunFacts, now: Snapshot): void {
    const { id, subject_type: type, subject_id: subject } = run;
    const other = now
      .all('runs')
      .find(each => each.id !== id && each.subject_type === type && each.subject_id === subject && isLive(each));
    if (other !== undefined)
      violate('a subject has one live run', `${describe(run)} is ${run.state} while attempt ${other.attempt} is ${other.state}`);
  }

  function begin(run: RunFacts, { at, spoken }: Commit): void {
    const token = keyOf(run.lease_token_hash);
    const subject = `${run.subject_type} ${run.subject_id}`;
    const earlier = lastOfSubject.get(subject);
    const told = describe(run);
    if (!spoken.has(token)) violate('a claim is known by its own token', `${told} was claimed with a token that nobody said`);
    if (byToken.has(token))
      violate('a claim is known by its own token', `${told} was claimed with the token of an earlier claim`);
    if (earlier !== undefined && earlier.end === undefined)
      violate('one holder at a time', `${told} was claimed by ${run.worker} while ${earlier.worker} holds it`);
    const claim: Claim = {
      ...{ number: ++count, runId: run.id, subject, worker: run.worker, token },
      ...{
        leaseUntil: leaseOf(run, spoken.get(token) ?? { first: at, last: at }),
        end: undefined,
        endedAt: 0,
        isHolderDead: false,
      },
    };
    byToken.set(token, claim);
    lastOfRun.set(run.id, claim);
    lastOfSubject.set(subject, claim);
  }

  function goOn(before: RunFacts, after: RunFacts, commit: Commit): void {
    const isKept = before.lease_expires_at?.getTime() === after.lease_expires_at?.getTime() && before.state === after.state;
    if (isKept) return;
    const claim = byHolder(after.id, 'a heartbeat', commit);
    if (claim === undefined) return;
    claim.leaseUntil = leaseOf(after, commit.spoken.get(claim.token) ?? { first: commit.at, last: commit.at });
  }

  function end(before: RunFacts, after: RunFacts | undefined, commit: Commit): void {
    const state = after?.state ?? 'gone';
    const claim = lastOfRun.get(before.id);
    if (claim === undefined) return;
    if (state === 'lost') {
      if (claim.leaseUntil >= commit.at && !claim.isHolderDead)
        violate('a lease that lives is not taken', `${describe(before)} was taken ${claim.leaseUntil - commit.at} ms too early`);
    } else if (state !== 'cancelled') byHolder(before.id, `the end as ${state}`, commit);
    claim.end = state;
    claim.endedAt = commit.at;
  }

  /** The last claim of a run, if it was this that spoke, in time. */
  function byHolder(runId: string, what: string, { spoken, at }: Commit): Claim | undefined {
    const claim = lastOfRun.get(runId);
    const saidAt = claim === undefined ? undefined : spoken.get(claim.token)?.first;
    if (claim === undefined || saidAt === undefined || (claim.end !== undefined && claim.endedAt < at)) {
      violate('only the last claim writes', `${what} of run ${runId} was taken from who does not hold it`);
      return undefined;
    }
    if (saidAt >= claim.leaseUntil)
      violate(
        'only the last claim writes',
        `${what} of run ${runId} was taken ${saidAt - claim.leaseUntil} ms after its lease had run out`,
      );
    return claim;
  }

  /** Until when a lease holds that was given in the time in which its token was said. */
  function leaseOf(run: RunFacts, { first, last }: Spoken): number {
    const written = run.lease_expires_at?.getTime() ?? 0;
    const off = written - leaseMs;
    if (off < first - 1 || off > last + 1)
      violate('lease time is database time', `the lease of ${describe(run)} is ${off - first} ms off`);
    return Math.min(Math.max(first, off), last) + leaseMs;
  }

  const told: Claims['told'] = (kind, secret, since) => {
    const claim = byToken.get(keyOf(hashSecret(secret)));
    const isEnded = claim?.end !== undefined && claim.endedAt < since;
    const isRight = {
      heartbeat: !isEnded,
      write: !isEnded,
      complete: claim?.end === 'submitted',
      fail: claim?.end === 'failed' || claim?.end === 'parked',
      park: claim?.end === 'parked',
    }[kind];
    if (claim === undefined || !isRight)
      violate('nobody is told what is not so', `a ${kind} went well for a claim that is ${claim?.end ?? 'not known or lives'}`);
  };

  return {
    look,
    told,
    died(secret) {
      const claim = byToken.get(keyOf(hashSecret(secret)));
      if (claim !== undefined) claim.isHolderDead = true;
    },
    get count() {
      return count;
    },
  };
}

export function keyOf(hash: Buffer | null): string {
  return hash?.toString('latin1') ?? '';
}

export function describe({ subject_type, subject_id, attempt }: RunFacts): string {
  return `${subject_type} ${subject_id}, attempt ${attempt},`;
}
