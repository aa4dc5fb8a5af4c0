import type { WireTop } from '../../../../contract/fleet/top.ts';

type HeldBack = WireTop['queue']['held_back'][number];

/** Runs that are due and alike in what their claim depends on. */
export interface Due {
  readonly projectId: string | null;
  readonly project: string | null;
  readonly agent: string | null;
  readonly requires: readonly string[];
  readonly runs: number;
  /** Of those, how many would touch what another run touches. */
  readonly colliding: number;
  /** Workers that could claim them. */
  readonly workers: readonly string[];
  /** What they require and no worker offers. */
  readonly missing: readonly string[];
}

export interface Held {
  readonly projectId: string | null;
  readonly agent: string | null;
  readonly worker: string | null;
  readonly runs: number;
}

export interface Limit {
  readonly scope: 'tenant' | 'project' | 'agent' | 'worker';
  readonly scopeId: string;
  readonly runsMax: number;
}

export interface Bars {
  readonly due: readonly Due[];
  readonly held: readonly Held[];
  readonly limits: readonly Limit[];
  readonly brake: { readonly state: 'off' | 'on' | 'trying'; readonly reason: string; readonly isTaken: boolean } | undefined;
}

/** Reasons that are told at most; they are those of the most runs. */
const reasonsMax = 50;

/** Why runs that are due are not claimed. Each run is counted once, with what has to go first: free workers are not looked at. */
export function heldBack(bars: Bars): HeldBack[] {
  const counted = new Map<string, HeldBack>();
  const count = (reason: Pick<HeldBack, 'why' | 'detail'>, runs: number): void => {
    const key = `${reason.why} ${reason.detail}`;
    counted.set(key, { why: reason.why, runs: (counted.get(key)?.runs ?? 0) + runs, detail: reason.detail });
  };
  for (const due of bars.due) {
    const reason = reasonFor(due, bars);
    if (reason !== undefined) count(reason, due.runs);
    else if (due.colliding > 0) count({ why: 'files', detail: 'another run works on the same files' }, due.colliding);
  }
  return [...counted.values()].sort((a, b) => b.runs - a.runs || a.detail.localeCompare(b.detail)).slice(0, reasonsMax);
}

type Reason = Pick<HeldBack, 'why' | 'detail'> | undefined;

function reasonFor(due: Due, { brake, limits, held }: Bars): Reason {
  if (brake?.state === 'on') return { why: 'brake', detail: brake.reason };
  if (brake?.state === 'trying' && brake.isTaken) return { why: 'brake', detail: 'one run at a time, until one is handed in' };
  if (due.workers.length === 0) return { why: 'no_worker', detail: `no active worker offers ${offer(due)}` };
  const full = limits.find(limit => limit.scope !== 'worker' && isAbout(limit, due) && isFull(limit, held));
  if (full !== undefined) return { why: 'limit', detail: limitText(full, due) };
  return byWorkers(due, { limits, held });
}

/** Held back by limits of workers only where no worker that could claim it is left. */
function byWorkers({ workers }: Due, { limits, held }: Pick<Bars, 'limits' | 'held'>): Reason {
  const full = limits.filter(limit => limit.scope === 'worker' && isFull(limit, held)).map(({ scopeId }) => scopeId);
  if (full.length === 0 || !workers.every(name => full.includes(name))) return undefined;
  return { why: 'limit', detail: `every worker that could claim them is at its limit: ${someOf(workers)}` };
}

function isAbout({ scope, scopeId }: Limit, { projectId, agent }: Due): boolean {
  return scope === 'tenant' || (scope === 'project' ? scopeId === projectId : scope === 'agent' && scopeId === agent);
}

function isFull({ scope, scopeId, runsMax }: Limit, held: readonly Held[]): boolean {
  const of = { tenant: () => '', project: (h: Held) => h.projectId, agent: (h: Held) => h.agent, worker: (h: Held) => h.worker };
  const own = held.filter(each => of[scope](each) === scopeId);
  return own.reduce((sum, { runs }) => sum + runs, 0) >= runsMax;
}

function limitText({ scope, scopeId, runsMax }: Limit, { project }: Due): string {
  const most = `at most ${runsMax} ${runsMax === 1 ? 'run' : 'runs'}`;
  if (scope === 'tenant') return `${most} at once`;
  return `${most} of ${scope} ${scope === 'project' ? (project ?? scopeId) : scopeId}`;
}

function offer({ missing, requires }: Due): string {
  if (missing.length > 0) return someOf(missing);
  return requires.length === 0 ? 'anything: there is none' : `all of ${someOf(requires)}`;
}

const namedMax = 5;

function someOf(names: readonly string[]): string {
  const more = names.length - namedMax;
  return names.slice(0, namedMax).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
