import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import { run } from '../host/tools.ts';
import { createNative } from './launcher.ts';
import type { Native } from './launcher.ts';

/** Where the compiled part is, or why it can't be used. */
export type Found = { readonly path: string } | { readonly why: string };

const versionWords = 'skep-sandbox 1';

/** Root will run it: it and the folders above it, up to the package's, may be written by nobody else. */
export async function findNative(): Promise<Found> {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return { why: 'the worker is not root' };
  const root = packageRoot();
  const path = join(root, 'dist/native/skep-sandbox');
  const wrong = [root, dirname(dirname(path)), dirname(path), path].map(doubt).find(Boolean);
  if (wrong !== undefined) return { why: wrong };
  try {
    const version = await run(path, ['version']);
    if (version === versionWords) return { path };
    return { why: `${path} is another version: run bin/build` };
  } catch (error) {
    return { why: `${path} can't be run: ${error instanceof Error ? error.message : String(error)}`.slice(0, 500) };
  }
}

interface Means {
  readonly seccomp: Buffer;
  readonly clock: Clock;
  readonly log: Log;
}

/** A launcher that runs, or why there is none. Never throws. */
export async function openNative({ seccomp, clock, log }: Means): Promise<Native | { readonly why: string }> {
  const found = await findNative();
  if ('why' in found) return found;
  const native = createNative({ path: found.path, seccomp, clock, log });
  return await native.ready().then(
    () => native,
    (error: unknown) => ({ why: (error instanceof Error ? error.message : String(error)).slice(0, 500) }),
  );
}

function doubt(path: string): string | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return 'it is not compiled: bin/build does it where there is a C compiler';
  if (found.isSymbolicLink()) return `${path} is a link`;
  // Of the owner of the package all else that runs here is too.
  if ((found.mode & 0o002) !== 0) return `${path} can be written by others`;
  return undefined;
}

/** From src/providers/sandboxes/local/native, and from the same below dist/. */
function packageRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const above = join(here, '../../../../..');
  return above.endsWith('/dist') ? dirname(above) : above;
}
