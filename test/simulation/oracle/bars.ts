import { describe } from './claims.ts';
import {
  becomes,
  changesOf,
  type Commit,
  type Facts,
  type Rule,
  type RunFacts,
  type Snapshot,
  type TicketFacts,
  type Violate,
} from './types.ts';

/** Of a ticket for which this is claimed; its own run makes it so, and what settled a conflict is reviewed too. */
const statusesOf: Readonly<Record<string, readonly string[]>> = {
  ticket: ['claimed'],
  review: ['verifying', 'merging'],
  conflict: ['merging'],
};

/** What may be claimed at all: it is wanted, its time has come, its needs are done, and neither the brake nor a limit nor a file holds it back. */
export function createBars(violate: Violate): Rule {
  /** When it was committed what a ticket's work touches beside what was foretold. */
  const observedAt = new Map<string, number>();
  /** When a ticket that held nothing, since a person was to look at its work, went on. */
  const wentOnAt = new Map<string, number>();
  /** When a brake that is on could be known of: it says when it was pulled, and the rest of that transaction may take long. */
  let brakedAt = 0;
  /** The same of each limit. */
  const limitedAt = new Map<string, number>();
  const limitKey = ({ scope, scope_id: id }: Facts): string => `${String(scope)} ${String(id)}`;

  function learn(commit: Commit): void {
    if (changesOf(commit, 'brakes').some(change => becomes(change, 'on'))) brakedAt = commit.at;
    for (const { after } of changesOf(commit, 'run_limits')) if (after !== undefined) limitedAt.set(limitKey(after), commit.at);
    for (const { before, after } of changesOf(commit, 'tickets')) {
      if (after === undefined) continue;
      if (after.observed.length > (before?.observed.length ?? 0)) observedAt.set(after.id, commit.at);
      if (before?.status === 'waiting' && after.status !== 'waiting') wentOnAt.set(after.id, commit.at);
    }
  }

  return {
    look(commit, now) {
      learn(commit);
      const claimed = changesOf(commit, 'runs').flatMap(change =>
        becomes(change, 'leased') && change.after !== undefined ? [change.after] : [],
      );
      for (const run of claimed) {
        refuseEarly(run, commit);
        refuseBraked(run, now);
        refuseBeyondLimits(run, now);
        const ticket = now.all('tickets').find(({ id }) => id === run.ticket_id);
        if (ticket === undefined) continue;
        refuseUnasked(run, ticket);
        refuseNeedy(run, ticket, now);
        if (run.subject_type === 'ticket') refuseCollision(run, ticket, now);
      }
    },
  };

  function refuseUnasked(run: RunFacts, { id, status }: TicketFacts): void {
    if (statusesOf[run.subject_type]?.includes(status) === false)
      violate('what is claimed is wanted', `${describe(run)} was claimed, and ${id} is ${status}`);
  }

  function refuseEarly(run: RunFacts, { at }: Commit): void {
    if ((run.due_at?.getTime() ?? 0) > at) violate('nothing is claimed early', `${describe(run)} was claimed before it was due`);
  }

  function refuseBraked(run: RunFacts, now: Snapshot): void {
    const [brake] = now.all('brakes');
    // One that was decided before, and whose commit had to wait, could not know of it.
    if (brake?.state === 'on' && isAfter(run, brakedAt))
      violate('the brake holds', `${describe(run)} was claimed though the brake is on`);
    if (brake?.state !== 'trying') return;
    const others = held(now).filter(other => other.id !== run.id && isSince(other, brake.changed_at.getTime()));
    if (others.length > 0)
      violate('the brake holds', `${describe(run)} was claimed while another shows whether things work again`);
  }

  function refuseBeyondLimits(run: RunFacts, now: Snapshot): void {
    for (const limit of now.all('run_limits')) {
      const { scope, scope_id: id, runs_max: most } = limit;
      const isIn = (other: RunFacts): boolean =>
        ({ tenant: true, project: other.project_id === id, agent: other.agent === id, worker: other.worker === id })[scope] ??
        false;
      const count = held(now).filter(isIn).length;
      if (isIn(run) && count > most && isAfter(run, limitedAt.get(limitKey(limit)) ?? 0))
        violate('limits hold', `${describe(run)} is one of ${count} of ${scope} ${id}, at most ${most}`);
    }
  }

  function refuseNeedy(run: RunFacts, ticket: TicketFacts, now: Snapshot): void {
    const tickets = now.all('tickets');
    for (const { ticket_id, needs_id } of now.all('ticket_dependencies')) {
      if (ticket_id !== ticket.id) continue;
      const need = tickets.find(({ id }) => id === needs_id);
      if (need?.status !== 'completed')
        violate('needs come first', `${describe(run)} was claimed while ${needs_id} is ${need?.status ?? 'gone'}`);
    }
    const wanted = run.subject_type === 'ticket' ? ['claimed'] : ['verifying', 'merging'];
    if (!wanted.includes(ticket.status))
      violate('needs come first', `${describe(run)} was claimed for a ticket that is ${ticket.status}`);
  }

  function refuseCollision(run: RunFacts, ticket: TicketFacts, now: Snapshot): void {
    const project = now.all('projects').find(({ id }) => id === ticket.project_id);
    if (project?.collisions !== 'hold') return;
    const files = filesOf(ticket);
    const busy = new Set(
      now.all('runs').flatMap(other => (other.subject_type === 'ticket' && isBusy(other) ? [other.subject_id] : [])),
    );
    for (const other of now.all('tickets')) {
      if (other.id === ticket.id || !busy.has(other.id) || other.status === 'waiting' || other.project_id !== ticket.project_id)
        continue;
      // A claim that was decided before, and whose commit had to wait, could not know of it.
      const couldKnow = (at: number | undefined): boolean => at === undefined || isAfter(run, at);
      if (!couldKnow(wentOnAt.get(other.id))) continue;
      const known = couldKnow(observedAt.get(other.id)) ? filesOf(other) : other.files;
      const clash = known.find(path => files.some(file => touches(file, path)));
      if (clash !== undefined)
        violate('files are one agent’s', `${describe(run)} was claimed while ${other.id} works on ${clash}`);
    }
  }
}

const held = (now: Snapshot): readonly RunFacts[] => now.all('runs').filter(run => run.lease_expires_at !== null);

function isSince({ leased_at }: RunFacts, time: number): boolean {
  return leased_at !== null && leased_at.getTime() >= time;
}

/** Of two in one millisecond nobody can say which came first. */
function isAfter({ leased_at }: RunFacts, time: number): boolean {
  return leased_at !== null && leased_at.getTime() > time;
}

function isBusy({ lease_expires_at, state }: RunFacts): boolean {
  return lease_expires_at !== null || state === 'submitted';
}

function filesOf({ files, observed }: TicketFacts): readonly string[] {
  return [...files, ...observed];
}

/** The same file, or one in a folder that the other names. */
function touches(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}
