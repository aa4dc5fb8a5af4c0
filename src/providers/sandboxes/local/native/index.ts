import { lstatSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../../../kernel/clock.ts';
import type { Log } from '../../../../kernel/log.ts';
import { asRoot } from '../../lacks.ts';
import type { Reason } from '../../lacks.ts';
import { run } from '../host/tools.ts';
import { createNative } from './launcher.ts';
import type { Native } from './launcher.ts';

/** Where the compiled part is, or why it can't be used. */
export type Found = { readonly path: string } | Reason;

/** By who makes the provider: tests. */
export const switchedOff: Reason = { why: 'it is switched off', mend: 'make the provider with it' };

const versionWords = 'skep-sandbox 2';

/** Root will run it: it and the folders above it, up to the package's, may be written by nobody else. */
export async function findNative(): Promise<Found> {
  if (process.platform !== 'linux' || process.geteuid?.() !== 0) return { why: 'the worker is not root', mend: asRoot };
  const root = packageRoot();
  const path = join(root, 'dist/native/skep-sandbox');
  const wrong = [root, dirname(dirname(path)), dirname(path), path].map(doubt).find(Boolean);
  if (wrong !== undefined) return wrong;
  try {
    const version = await run(path, ['version']);
    if (version === versionWords) return { path };
    return { why: `${path} is another version`, mend: 'bin/build' };
  } catch (error) {
    return { why: `${path} can't be run: ${wordsOf(error)}`.slice(0, 500), mend: 'bin/build' };
  }
}

interface Means {
  readonly seccomp: Buffer;
  readonly clock: Clock;
  readonly log: Log;
}

/** A launcher that runs, or why there is none. Never throws. */
export async function openNative({ seccomp, clock, log }: Means): Promise<Native | Reason> {
  const found = await findNative();
  if ('why' in found) return found;
  const native = createNative({ path: found.path, seccomp, clock, log });
  return await native.ready().then(
    () => native,
    (error: unknown) => ({ why: wordsOf(error).slice(0, 500), mend: mendStart }),
  );
}

const mendStart = 'it needs Linux 5.12 or later and, in a container, the right to mount (CAP_SYS_ADMIN)';

function doubt(path: string): Reason | undefined {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return { why: 'it is not compiled', mend: 'apt-get install gcc libc6-dev, then bin/build' };
  if (found.isSymbolicLink()) return { why: `${path} is a link`, mend: 'put what it leads to in its place' };
  // Of the owner of the package all else that runs here is too.
  if ((found.mode & 0o002) !== 0) return { why: `${path} can be written by others`, mend: `chmod o-w ${path}` };
  return undefined;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** From src/providers/sandboxes/local/native, and from the same below dist/. */
function packageRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const above = join(here, '../../../../..');
  return above.endsWith('/dist') ? dirname(above) : above;
}
