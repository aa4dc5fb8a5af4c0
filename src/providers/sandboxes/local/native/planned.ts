import { byRlimit, marker } from '../host/made.ts';
import type { Made } from '../host/made.ts';
import { atMost } from '../launch.ts';
import type { Plan } from './plan.ts';

/** What of a sandbox that is there its launcher must know. */
export function planOf(made: Omit<Made, 'links' | 'uid'>, uid: number): Plan {
  const { spec, folder, cgroup } = made;
  const { limits } = spec;
  const rlimit = byRlimit(made);
  return {
    ...{ uid, limits, keeps: spec.keeps === true },
    byRlimit: {
      processes: rlimit.processes ? atMost('Max processes', limits.processCount) : undefined,
      memory: rlimit.memory ? atMost('Max data size', limits.memoryBytes) : undefined,
    },
    ...{ marker: marker(folder.path), slot: folder.slot, joins: cgroup?.joins ?? [] },
    binds: folder.binds.map(({ from, to }) => ({ from, to })),
  };
}
