import type { Hold, SandboxWorth } from '../../../contract/fleet/sandboxes.ts';

export const groups = {
  read: 'Reading',
  write: 'Changing',
  calls: 'System calls',
  network: 'The network',
  gateway: 'The way that is opened',
  proxy: 'The proxy of what is allowed',
  secrets: 'Secrets',
  exfil: 'Carrying out what it has',
  beside: 'Another sandbox',
  cache: 'What other runs begin with',
  honest: 'What must still work',
  bombs: 'Taking too much',
  lasting: 'Outliving the command',
  leaving: 'What is left on the host',
  paths: 'Traps where the platform writes',
  settings: 'Settings in the repository',
  host: 'What the host takes out of a sandbox',
  archives: 'What the server takes in',
} as const;

export type Group = keyof typeof groups;

/** What is to hold it back: the walls of the sandbox, its network, one of its limits, or the platform's own code, whatever the sandbox; `nobody`: it is only said what comes of it. */
export type Guard = 'isolation' | 'network' | 'platform' | 'nobody' | keyof SandboxWorth['limits'];

/** One thing that a hijacked agent does, and what must come of it. */
export interface Row {
  readonly group: Group;
  readonly attempt: string;
  readonly guard: Guard;
  /** What it is answered where its guard is enforced: the name of an error, an end of the command, or a word; `reached` is success. */
  readonly answers: readonly string[];
  /** Where the guard is advisory. */
  readonly advisory: readonly string[];
  /** Where nothing holds it; none where it is not even tried then: it could hurt the machine. */
  readonly open: readonly string[];
  /** Of the list of attacks that this table answers. */
  readonly source: string;
}

interface Rest {
  readonly guard?: Guard;
  readonly advisory?: readonly string[];
  readonly open?: readonly string[];
}

/** Several attempts of one group that are answered alike. */
export function rows(
  group: Group,
  source: string,
): (answers: readonly string[], attempts: readonly string[], rest?: Rest) => readonly Row[] {
  return (answers, attempts, { guard = 'isolation', advisory = answers, open = [] } = {}) =>
    attempts.map(attempt => ({ group, attempt, guard, answers, advisory, open, source }));
}

/** How far the guard of a row can be relied on in sandboxes of this worth. */
function holdOf({ guard }: Pick<Row, 'guard'>, worth: SandboxWorth): Hold {
  if (guard === 'platform' || guard === 'nobody') return 'enforced';
  if (guard === 'isolation') return worth.isolation === 'none' ? 'none' : 'enforced';
  return guard === 'network' ? worth.network : worth.limits[guard];
}

/** What must come of it in sandboxes of this worth. */
export function answersOf(row: Row, worth: SandboxWorth): readonly string[] {
  const hold = holdOf(row, worth);
  return hold === 'enforced' ? row.answers : hold === 'advisory' ? row.advisory : row.open;
}

/** Where nothing holds it and it could hurt, it is not tried. */
export function isTried(row: Row, worth: SandboxWorth): boolean {
  return answersOf(row, worth).length > 0;
}
