import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { SandboxExit, Snapshot } from '../../../worker/sandbox.ts';
import type { Folder } from '../local/folder.ts';
import { run } from '../local/host/tools.ts';
import type { Tools } from '../local/host/tools.ts';
import { usedOf } from '../local/stats.ts';
import type { Disks } from './index.ts';
import { diskName, hasDisk, keptName } from './mounted.ts';
import { watchSpace } from './space.ts';
import { watchSize } from './watch.ts';

/** Where the commands of one sandbox write. */
export interface Workspace {
  /**
   * Runs a command. Throws Fault `wrong_state` while a snapshot is taken, `disk_full` where the command ended as it did, or what was
   * written could not be stored, because the worker's disk is full.
   */
  during(command: () => Promise<SandboxExit>): Promise<SandboxExit>;
  /** Undefined where it would have to be walked, and after its end. */
  usedBytes(): number | undefined;
  /** Present where the workspace is a disk of its own. */
  readonly snapshot: (() => Promise<Snapshot>) | undefined;
  /** Resolves when no snapshot is being taken. */
  settled(): Promise<void>;
}

interface Ground {
  readonly id: string;
  /** Of the sandbox, on the host. */
  readonly folder: Pick<Folder, 'path' | 'slot' | 'isOnDisk'>;
  readonly bytesMax: number;
  readonly disks: Disks | undefined;
  readonly tools: Tools;
  readonly clock: Clock;
  /** Called where nothing else keeps the workspace from growing, and it has grown over its limit. */
  readonly onFull: () => void;
  /** Throws when the sandbox is no more. */
  readonly whileAlive: () => void;
}

export function openWorkspace({
  id,
  folder: { path: folder, slot, isOnDisk },
  bytesMax,
  disks,
  tools,
  clock,
  onFull,
  whileAlive,
}: Ground): Workspace {
  const folders = ['work', keptName].map(name => join(slot, name));
  const watch = isOnDisk ? undefined : watchSize({ folders, bytesMax, clock, du: tools.du, onFull });
  const space = watchSpace(folder, clock);
  let running = 0;
  let copied: Promise<Snapshot> | undefined;
  let isBroken = false;

  async function check(exit: SandboxExit, wasFull: boolean): Promise<void> {
    if (exit.reason !== 'exited' && exit.reason !== 'signaled') return;
    const isGood = exit.reason === 'exited' && exit.code === 0;
    isBroken ||= isOnDisk && ((wasFull && !(await isStored(slot, tools))) || (!isGood && isReadOnly(join(slot, diskName))));
    if (isBroken || (wasFull && !isGood)) throw fullFault();
  }

  /** On a disk that is written to meanwhile a copy would be no file system. */
  async function snapshot(of: Disks): Promise<Snapshot> {
    whileAlive();
    if (running > 0) throw new Fault('wrong_state', { message: `a command runs in the sandbox ${id}` });
    whileWhole();
    copied = of.snapshot(folder, id);
    return await copied.finally(() => void (copied = undefined));
  }

  function whileWhole(): void {
    if (copied) throw new Fault('wrong_state', { message: `a snapshot of the sandbox ${id} is being taken` });
    if (isBroken) throw fullFault();
  }

  return {
    async during(command) {
      whileWhole();
      running += 1;
      // Before all else: the looks are taken while the command is being started.
      const ending = command();
      const look = space.enter();
      const leave = watch?.enter();
      try {
        const exit = await ending;
        await check(exit, look.wasFull());
        return exit;
      } finally {
        running -= 1;
        look.leave();
        leave?.();
      }
    },
    usedBytes: () => (isOnDisk && hasDisk(folder) ? usedOf(join(slot, diskName)) : undefined),
    snapshot: disks === undefined || !isOnDisk ? undefined : () => snapshot(disks),
    settled: async () => void (await copied?.catch(() => {})),
  };
}

/** A disk is a sparse file: what was written to it is lost where that could not grow, and programs inside may not have been told. */
async function isStored(slot: string, { sync }: Tools): Promise<boolean> {
  return await run(sync, ['--file-system', '--', join(slot, diskName)]).then(
    () => true,
    () => false,
  );
}

/** The kernel lets nothing be written any more where something important could not be. */
function isReadOnly(place: string): boolean {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .find(each => each.split(' ')[4] === escaped(place));
  const options = line?.split(' ').at(-1)?.split(',') ?? [];
  return options.includes('ro') || options.includes('emergency_ro');
}

/** As /proc writes a path. */
function escaped(path: string): string {
  return path.replace(/[ \t\n\\]/g, char => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

function fullFault(): Fault {
  return new Fault('disk_full', {
    message: "the worker's disk is full: what a command wrote to its workspace could not be stored",
    hint: 'free space where SKEP_HOME of the worker lies, or give it a larger disk',
  });
}
