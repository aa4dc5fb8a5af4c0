import type { RunSettings } from '../../../src/stages/runs/index.ts';
import { describe } from './claims.ts';
import { becomes, changesOf, type Commit, type Rule, type RunFacts, type TicketFacts, type Violate } from './types.ts';

type Group = 'restart' | 'handed back' | 'agent' | 'machine' | 'setup' | 'provider' | 'quota' | 'never';

/** As docs/recovery.md says it, in the oracle's own words. */
const groups: Readonly<Record<string, Group>> = {
  lost: 'restart',
  agent_died: 'restart',
  unresponsive: 'restart',
  stopped: 'handed back',
  agent_failed: 'agent',
  timeout: 'agent',
  no_changes: 'agent',
  sandbox: 'machine',
  repository: 'machine',
  network: 'machine',
  setup: 'setup',
  provider: 'provider',
  quota: 'quota',
};

/** So many ends of a kind may be followed by another attempt without a person's word. */
function triesMax({ attemptsMax, restartsMax }: RunSettings): Readonly<Record<Group, number>> {
  const agent = attemptsMax - 1;
  return {
    restart: restartsMax,
    'handed back': 100,
    agent,
    machine: 2 * attemptsMax - 1,
    setup: 2,
    provider: 7,
    quota: 5,
    never: 0,
  };
}

/**
 * How often something is tried: the attempts of a ticket are its claims since a person had it tried anew, and no kind of failure is tried
 * again beyond its maximum. What was handed in, or a person's word, begins every count anew.
 */
export function createAttempts({ settings, violate }: { readonly settings: RunSettings; readonly violate: Violate }): Rule {
  const counts = new Map<string, { readonly ticketId: string | null; readonly ends: Map<Group, number> }>();
  const most = triesMax(settings);

  function look(commit: Commit): void {
    const runs = changesOf(commit, 'runs');
    const tickets = changesOf(commit, 'tickets');
    for (const { before, after } of tickets)
      if (after !== undefined)
        countAttempts(
          before,
          after,
          runs.map(run => run.after),
        );
    for (const change of runs) {
      const { before, after } = change;
      if (after === undefined) continue;
      const subject = `${after.subject_type} ${after.subject_id}`;
      if (after.resumed && before?.resumed !== true) counts.delete(subject);
      if (becomes(change, 'submitted')) counts.delete(subject);
      if (becomes(change, 'failed') || becomes(change, 'lost')) count(subject, after);
      if (becomes(change, 'leased')) refuseTooMany(subject, after);
    }
  }

  function countAttempts(before: TicketFacts | undefined, after: TicketFacts, runs: readonly (RunFacts | undefined)[]): void {
    // What it waited for is decided: as of a run that is resumed.
    if (before?.status === 'waiting' && after.status === 'ready') beginAnew(after.id);
    const more = after.attempts - (before?.attempts ?? 0);
    if (more === 0) return;
    const mine = runs.find(run => run?.subject_type === 'ticket' && run.subject_id === after.id);
    const isClaimed = more === 1 && mine?.state === 'leased';
    const isGivenBack = more === -1 && mine?.state === 'queued';
    const isAnew =
      after.attempts === 0 && (before?.status === 'failed' || before?.status === 'waiting') && after.status !== before.status;
    if (isAnew) beginAnew(after.id);
    if (!isClaimed && !isGivenBack && !isAnew)
      violate('attempts are claims', `${after.id} has ${after.attempts} attempts after ${before?.attempts}, without a claim`);
  }

  /** Of the ticket, and of what its work has met with others'. */
  function beginAnew(ticketId: string): void {
    for (const [subject, known] of counts) if (known.ticketId === ticketId) counts.delete(subject);
  }

  function count(subject: string, run: RunFacts): void {
    const kind = run.state === 'lost' ? 'lost' : (run.failure_class ?? '');
    const group = groups[kind] ?? 'never';
    const known = counts.get(subject) ?? { ticketId: run.ticket_id, ends: new Map<Group, number>() };
    known.ends.set(group, (known.ends.get(group) ?? 0) + 1);
    counts.set(subject, known);
  }

  function refuseTooMany(subject: string, run: RunFacts): void {
    for (const [group, tried] of counts.get(subject)?.ends ?? [])
      if (tried > most[group])
        violate(
          'not tried for ever',
          `${describe(run)} was claimed after ${tried} ends of kind ${group}; at most ${most[group]} are tried again`,
        );
  }

  return { look };
}
