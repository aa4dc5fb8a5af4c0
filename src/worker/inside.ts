import { execa } from 'execa';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Fault } from '../kernel/fault.ts';
import { addedProgramsPath } from './sandbox.ts';
import type { SandboxSpec } from './sandbox.ts';

/** Where a sandbox sees the programs of src/inside. */
export const insidePath = '/skep/inside';

const isBuilt = import.meta.url.endsWith('.js');
let folder: Promise<string> | undefined;

/**
 * The folder with the programs that run in sandboxes: made by the build, or from the sources when they are first needed. Throws
 * Fault `failed` where they cannot be made.
 */
export function insideFolder(): Promise<string> {
  folder ??= (isBuilt ? Promise.resolve(join(import.meta.dirname, '../../inside')) : bundled()).catch((error: unknown) => {
    folder = undefined;
    throw error;
  });
  return folder;
}

/** How a sandbox comes by the Node that runs this process: it sees /usr, and Node may be installed elsewhere. */
export function nodeInside(program = process.execPath): { readonly program: string; readonly folders: SandboxSpec['folders'] } {
  const bin = dirname(program);
  // Of a Node that lies among other things, such as in a home, all that lies there would be shown: then it is not.
  const isInstallation = basename(bin) === 'bin' && existsSync(join(bin, '../lib/node_modules'));
  if (program.startsWith('/usr/') || !isInstallation) return { program, folders: [] };
  // What lies beside Node's programs is a link into this folder.
  const npm = join(bin, '../lib/node_modules/npm');
  return {
    program: `${addedProgramsPath}/${basename(program)}`,
    folders: [
      { from: bin, to: addedProgramsPath },
      ...(existsSync(npm) ? [{ from: npm, to: join(addedProgramsPath, '../lib/node_modules/npm') }] : []),
    ],
  };
}

/** What the programs are made of. */
const sources = ['src/inside', 'src/worker/host', 'src/kernel', 'contract', 'package-lock.json', 'bin/bundle-inside.mjs'];

/** Named by what it was made from, and renamed when it is whole: processes that make it at once do not meet. */
async function bundled(): Promise<string> {
  const root = join(import.meta.dirname, '../..');
  const cache = join(root, '.cache/inside');
  const made = join(cache, await hashOf(root));
  if (existsSync(made)) return made;
  await mkdir(cache, { recursive: true });
  const draft = join(cache, `${randomUUID()}.draft`);
  const { failed, stderr } = await execa(process.execPath, [join(root, 'bin/bundle-inside.mjs'), draft], { reject: false });
  try {
    if (failed)
      throw new Fault('failed', { message: `The programs for sandboxes could not be bundled: ${stderr.slice(-2_000)}` });
    await rename(draft, made);
  } catch (error) {
    // Another process was quicker.
    if (failed || !existsSync(made)) throw error;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return made;
}

async function hashOf(root: string): Promise<string> {
  const hash = createHash('sha256');
  for (const source of sources) {
    const files = source.includes('.') ? [''] : (await readdir(join(root, source), { recursive: true })).sort();
    for (const name of files.filter(name => name === '' || /(?<![.]test)[.]ts$/.test(name))) {
      hash.update(`${source}/${name}\0`).update(await readFile(join(root, source, name)));
    }
  }
  return hash.digest('hex').slice(0, 32);
}
