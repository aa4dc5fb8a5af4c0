import { startSandboxWorker, subjects, warm } from '../harness/sandbox-worker.ts';
import type { SandboxWorker, Subject, Who } from '../harness/sandbox-worker.ts';
import { isQuick } from './table/where.ts';

export interface Contained extends Pick<Subject, 'provider' | 'who' | 'possible'> {
  readonly name: string;
}

const withWarm = subjects.includes(warm) ? subjects : [...subjects, warm];

const all: readonly Contained[] = withWarm.map(({ provider, who, possible }) => ({
  ...{ name: `${provider}, ${who}`, provider, who, possible },
}));

/** Every kind of sandbox that the hijacked agent is let loose in. */
export const contained = all;

/** Set by others.prove.ts, before it loads the suites. */
const isProof = process.env['SKEP_TEST_CONTAINED'] === 'others';

/** For suites of many commands: those in which one begins at once; in the long proof, the others. */
export const chosen = all.filter(({ provider }) => isQuick(provider) !== isProof);

interface Start extends Pick<Contained, 'provider' | 'who'> {
  readonly folder: string;
  readonly wrap?: readonly string[];
}

export function startContained({ provider, who, folder, wrap = [] }: Start): Promise<SandboxWorker> {
  return startSandboxWorker({ provider, who, folder, wrap });
}

/** Of the worker's process. */
export function uidOf(who: Who): number {
  return who === 'root' || process.geteuid?.() !== 0 ? (process.geteuid?.() ?? 0) : 65_534;
}
