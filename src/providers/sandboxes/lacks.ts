import type { Lack, SandboxProbe } from '../../worker/sandbox.ts';

/** Why this machine does not give something, and what to do about it. */
export type Reason = Pick<Lack, 'why' | 'mend'>;

export type Worth = Extract<SandboxProbe, { ok: true }>['worth'];
type Limit = keyof Worth['limits'];

export const asRoot = 'run the worker as root';

/** None where it is about nothing, or where nothing is wrong. */
export function lackOf(about: readonly string[], reason: Reason | undefined): readonly Lack[] {
  return reason === undefined || about.length === 0 ? [] : [{ about, ...reason }];
}

/** Those of `names` that are held less than enforced. */
export function notEnforced({ limits }: Worth, names: readonly Limit[]): readonly Limit[] {
  return names.filter(name => limits[name] !== 'enforced');
}
