import { readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bare } from './bare.ts';

/** Git asks one pack after the other for an object. */
const packsMax = 50;
const rollUpTimeoutMs = 600_000;

/** Moves the packs of `aside` in. Git finds a pack by its index: that comes last. One of this name that is here holds the same. */
export async function movePacks({ gitDir }: Bare, aside: string): Promise<void> {
  const names = await readdir(join(aside, 'pack'));
  for (const end of ['.pack', '.rev', '.idx'])
    for (const name of names.filter(each => each.endsWith(end)))
      await rename(join(aside, 'pack', name), join(gitDir, 'objects/pack', name));
}

/**
 * Makes one pack of many small ones, and of loose objects; nothing is thrown away, and a large pack is left as it is. Who reads
 * meanwhile finds an object in its new place. Only an improvement: where it fails, the next one that comes here tries again.
 */
export async function rollUp(bare: Bare): Promise<void> {
  const names = await readdir(join(bare.gitDir, 'objects/pack'));
  if (names.filter(name => name.endsWith('.pack')).length <= packsMax) return;
  const lock = bare.lock.replace(/[.]lock$/, '.packs');
  await bare.run(['repack', '--geometric=2', '-d', '--quiet'], { lock, timeoutMs: rollUpTimeoutMs }).catch(() => {});
}
