import type { Cgroup } from './cgroups.ts';

/** What the kernel has killed in a group for want of memory, told to each command of a sandbox from its beginning on. */
export interface OomKills {
  /** Called before a command begins. What it answers tells, at its end, whether there was one since. */
  watch(): () => boolean;
}

/** `known`: how many there had been when nothing of the sandbox ran yet. */
export function watchOomKills(cgroup: Pick<Cgroup, 'oomKills'> | undefined, known?: number): OomKills {
  const look = (): number => cgroup?.oomKills() ?? 0;
  let last = known;
  let running = 0;
  return {
    watch() {
      // While nothing runs nothing is killed: no look at the kernel's file stands in the way of the first command.
      const before = running === 0 && last !== undefined ? last : look();
      running += 1;
      return () => {
        running -= 1;
        last = look();
        return last > before;
      };
    },
  };
}
