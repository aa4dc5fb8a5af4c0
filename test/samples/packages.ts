import { cpSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

interface Manifest {
  readonly name: string;
  readonly bin?: string | Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** The folder of an installed package, as the file `from` would find it. Throws where it is not installed. */
export function packageFolder(name: string, from: string = import.meta.filename): string {
  return dirname(createRequire(from).resolve(`${name}/package.json`));
}

/** Copies what was published of a package, and nothing that was put beside it later. */
export function copyPackage(source: string, target: string): void {
  const grown = new Set(['node_modules', '__pycache__']);
  cpSync(source, target, { recursive: true, filter: path => path === source || !grown.has(basename(path)) });
}

/** Puts packages and all that they need into `folder/node_modules`, with their programs in `.bin`: what `npm install` would have left there. */
export function vendor(names: readonly string[], folder: string): void {
  const placed = new Map<string, string>();
  const put = (name: string, from: string, above: string): void => {
    const source = packageFolder(name, from);
    if (placed.get(name) === source) return;
    // A second version of a package lies below the one that needs it.
    const owner = placed.has(name) ? above : folder;
    if (owner === folder) placed.set(name, source);
    const target = join(owner, 'node_modules', name);
    copyPackage(source, target);
    linkPrograms(join(owner, 'node_modules'), manifestOf(source));
    for (const need of needsOf(source)) put(need, join(source, 'package.json'), target);
  };
  for (const name of names) put(name, import.meta.filename, folder);
}

/** The names of the packages that a package needs at run time. */
export function needsOf(folder: string): string[] {
  return Object.keys(manifestOf(folder).dependencies ?? {});
}

function linkPrograms(modules: string, { name, bin = {} }: Manifest): void {
  for (const [program, path] of Object.entries(typeof bin === 'string' ? { [name]: bin } : bin)) {
    mkdirSync(join(modules, '.bin'), { recursive: true });
    symlinkSync(join('..', name, path), join(modules, '.bin', program));
  }
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}
