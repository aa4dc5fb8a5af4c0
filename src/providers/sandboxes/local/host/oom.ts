import type { Cgroup } from './cgroups.ts';

/** What the kernel has killed in a group for want of memory, told to each command of a sandbox from its beginning on. */
export interface OomKills {
  /** Called before a command begins. What it answers tells, at its end, whether there was one since. */
  watch(): () => boolean;
}

/** `known`: how many there had been when nothing of the sandbox ran yet, so that no look at the kernel's file stands in the way of its first command. */
export function watchOomKills(cgroup: Pick<Cgroup, 'oomKills'> | undefined, known?: number): OomKills {
  const look = (): number => cgroup?.oomKills() ?? 0;
  let first = known;
  return {
    watch() {
      const before = first ?? look();
      first = undefined;
      return () => look() > before;
    },
  };
}
