import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { thisOwner } from '../../../kernel/processes/owner.ts';
import type { Tools } from '../local/host/tools.ts';
import { diskName, isMounted, removeDisk } from './mounted.ts';

/** Of all sizes together. */
export const readyMax = 8;

interface Ready {
  /** A folder with an empty disk of this size, mounted, and its caller's from now on; another is made in its place. */
  take(bytes: number): string | undefined;
  /** Resolves when there are so many; what can't be made is not. Never throws. */
  want(bytes: number, count: number): Promise<void>;
}

interface Place {
  readonly folder: string;
  readonly tools: Tools;
  readonly make: (place: string, bytes: number) => Promise<void>;
}

/**
 * Disks that are made before they are asked for. Their folders bear the worker's name and no sandbox's: those of a worker that was
 * killed are removed with what else it has left, those of one that ends by itself go with it.
 */
export function createReady({ folder, tools, make }: Place): Ready {
  const wanted = new Map<number, number>();
  const made = new Map<number, string[]>();
  const begun = new Set<string>();
  let last: Promise<void> = Promise.resolve();
  let isLast = false;

  const of = (bytes: number): string[] => made.get(bytes) ?? [];
  const total = (counts: Iterable<number>): number => [...counts].reduce((sum, count) => sum + count, 0);

  async function fill(bytes: number): Promise<void> {
    while (of(bytes).length < (wanted.get(bytes) ?? 0)) {
      const place = join(folder, `ready.${randomBytes(4).toString('hex')}~${thisOwner()}`);
      begun.add(place);
      try {
        mkdirSync(place, { mode: 0o700 });
        await make(place, bytes);
        made.set(bytes, [...of(bytes), place]);
      } catch {
        // Who asks for a sandbox hears why none can be made.
        await remove(place);
        return;
      }
    }
    for (const place of of(bytes).splice(wanted.get(bytes) ?? 0)) await remove(place);
  }

  async function remove(place: string): Promise<void> {
    try {
      await removeDisk(place, tools);
      begun.delete(place);
    } catch {
      // It stays for the end of this process, or for the next worker.
    }
  }

  /** One after the other: two that fill at once would make too many. */
  function filled(bytes: number): Promise<void> {
    last = last.then(() => fill(bytes));
    return last;
  }

  function giveBack(): void {
    for (const place of begun) {
      if (isMounted(place)) spawnSync(tools.umount, ['--lazy', '--', join(place, 'slot', diskName)]);
      rmSync(place, { recursive: true, force: true });
    }
  }

  return {
    take(bytes) {
      const place = of(bytes).shift();
      if (place === undefined) return undefined;
      begun.delete(place);
      void filled(bytes);
      return place;
    },
    want(bytes, count) {
      wanted.delete(bytes);
      const others = total(wanted.values());
      wanted.set(bytes, Math.max(0, Math.min(Math.floor(count) || 0, readyMax - others)));
      if (!isLast) process.once('exit', giveBack);
      isLast = true;
      return filled(bytes);
    },
  };
}
