import type { SandboxWorth } from '../../../contract/fleet/sandboxes.ts';
import type { Lack } from '../../worker/sandbox.ts';

/** Why this machine does not give something, and what to do about it. */
export type Reason = Pick<Lack, 'why' | 'mend'>;

type Limit = keyof SandboxWorth['limits'];

export const asRoot = 'run the worker as root';

/** None where it is about nothing, or where nothing is wrong. */
export function lackOf(about: readonly string[], reason: Reason | undefined): readonly Lack[] {
  return reason === undefined || about.length === 0 ? [] : [{ about, ...reason }];
}

/** Those of `names` that are held less than enforced. */
export function notEnforced({ limits }: Pick<SandboxWorth, 'limits'>, names: readonly Limit[]): readonly Limit[] {
  return names.filter(name => limits[name] !== 'enforced');
}
