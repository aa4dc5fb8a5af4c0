import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { isDead, thisOwner } from '../../../kernel/processes/owner.ts';
import { silentLog } from '../../../kernel/log.ts';
import { chooseSandboxes } from '../../../providers/sandboxes/choose.ts';
import type { SandboxProvider, SandboxSpec } from '../../../worker/index.ts';
import { removeUnmounted } from '../../place/remove.ts';

interface Where {
  /** SKEP_HOME: what is measured lies on the disk that runs lie on. */
  readonly home: string;
  /** As SKEP_SANDBOX names it. */
  readonly kind: string;
  readonly clock: Clock;
}

/** A home of this measurement alone, with the worker's own provider in it. */
export interface Place {
  readonly home: string;
  readonly provider: SandboxProvider;
  /** Kills and removes all. */
  clear(limits: readonly SandboxSpec['limits'][]): Promise<void>;
}

/** Removes first what measurements that were killed have left. */
export async function openPlace({ home: top, kind, clock }: Where): Promise<Place> {
  const make = (home: string) => chooseSandboxes(kind, { home, clock, log: silentLog });
  const all = join(top, 'bench');
  mkdirSync(all, { recursive: true, mode: 0o700 });
  for (const owner of readdirSync(all).filter(isDead)) await removeDead(join(all, owner), make);
  const home = join(all, thisOwner());
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const provider = make(home);
  return {
    home,
    provider,
    async clear(limits) {
      await Promise.all(provider.list().map(sandbox => sandbox.kill()));
      for (const each of limits) await provider.prewarm(each, 0);
      removeUnmounted(home);
    },
  };
}

async function removeDead(home: string, make: (home: string) => SandboxProvider): Promise<void> {
  await make(home).reapOrphans();
  removeUnmounted(home);
}
