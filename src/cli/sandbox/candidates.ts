import { silentLog } from '../../kernel/log.ts';
import { chooseSandboxes, sandboxNames } from '../../providers/sandboxes/choose.ts';
import type { SandboxProvider } from '../../worker/index.ts';
import type { World } from '../context.ts';

/** A way of making sandboxes. */
export interface Candidate {
  /** As SKEP_SANDBOX names it. */
  readonly name: string;
  /** Whether a worker of this machine makes them so. */
  readonly isSet: boolean;
  readonly make: () => SandboxProvider;
}

/** All that there are. Throws Fault `invalid_config` where the one that is set is none. */
export async function candidates({ settings, clock }: World, givenHome: string | undefined): Promise<readonly Candidate[]> {
  const { SKEP_HOME: home, SKEP_SANDBOX: set } = await settings({ SKEP_HOME: givenHome });
  const means = { home, clock, log: silentLog };
  // Made only to refuse a name that is none; what makes sandboxes does nothing until it is asked to.
  chooseSandboxes(set, means);
  return sandboxNames.map(name => ({ name, isSet: name === set, make: () => chooseSandboxes(name, means) }));
}
