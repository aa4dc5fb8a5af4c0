import type { Clock } from '../../../../kernel/clock.ts';
import { findProgram, SYSTEM_PATH } from '../../../../providers/sandboxes/local/host/tools.ts';
import { startProcess } from './process.ts';
import type { Program } from './tiny.ts';
import type { Lacking, Way } from './way.ts';

interface Around {
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** What stands beside Skep's sandboxes on every machine that has it: the floor, and what they are made of. */
export function waysBeside(program: Program, around: Around): (Way | Lacking)[] {
  const started = (name: string, argv: readonly [string, ...string[]]): Way => ({
    name,
    isOurs: false,
    start: () => startProcess(argv, around),
  });
  const unshare = findProgram(SYSTEM_PATH, 'unshare');
  const bwrap = findProgram(SYSTEM_PATH, 'bwrap');
  return [
    started('no sandbox, a process', program.argv),
    unshare === undefined
      ? { name: 'unshare', why: 'apt-get install util-linux' }
      : started('unshare, all namespaces', [unshare, ...allNamespaces, ...program.argv]),
    bwrap === undefined
      ? { name: 'bubblewrap', why: 'apt-get install bubblewrap' }
      : started('bubblewrap, bare', [bwrap, ...bare, ...program.argv]),
  ];
}

const allNamespaces = [
  '--user',
  '--map-root-user',
  '--mount',
  '--pid',
  '--net',
  '--ipc',
  '--uts',
  '--cgroup',
  '--fork',
  '--kill-child',
  '--',
];
const bare = ['--unshare-all', '--die-with-parent', '--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--'];

/** What is a way and not merely a name. */
export function isWay(way: Way | Lacking): way is Way {
  return 'start' in way;
}
