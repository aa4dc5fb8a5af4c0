import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { Fault, isFault } from '../../../kernel/fault.ts';
import { randomSecret } from '../../../kernel/secret.ts';

/** Everything that the embedded server keeps, below `<home>/postgres`. */
export interface Site {
  readonly home: string;
  readonly root: string;
  readonly data: string;
  readonly log: string;
  readonly password: string;
  /** The port of the last start: other processes keep their connection strings over a restart of the server. */
  readonly port: string;
  readonly lock: string;
  /** The uppermost folder on the way to `home` that this process has made. */
  readonly firstMade?: string | undefined;
}

/** Where things are; makes no folder. Links are resolved where they exist, because the system shows the resolved path of a process. */
export function siteOf(home: string): Site {
  if (!isAbsolute(home))
    throw new Fault('invalid_config', { message: `The home folder must be an absolute path, not "${home}"` });
  const root = join(realOr(home), 'postgres');
  return {
    home: realOr(home),
    root,
    data: join(root, 'data'),
    log: join(root, 'server.log'),
    password: join(root, 'password'),
    port: join(root, 'port'),
    lock: join(root, 'start.lock'),
  };
}

/** Makes the folders. Throws Fault `database_unusable` where that is not allowed, `disk_full` where there is no space. */
export function makeSite(home: string): Site {
  return guarded(home, () => {
    const firstMade = mkdirSync(home, { recursive: true, mode: 0o700 });
    const site = { ...siteOf(home), firstMade };
    mkdirSync(site.root, { recursive: true, mode: 0o700 });
    return site;
  });
}

export type DataState = { readonly is: 'absent' } | { readonly is: 'cluster'; readonly major: string } | { readonly is: 'other' };

export function inspectData(site: Site): DataState {
  return guarded(site.data, () => {
    const names = listOr(site.data);
    if (names.length === 0) return { is: 'absent' };
    if (!names.includes('PG_VERSION')) return { is: 'other' };
    return { is: 'cluster', major: readFileSync(join(site.data, 'PG_VERSION'), 'utf8').trim() };
  });
}

const draftPrefix = 'data.init-';

/** Where this process makes the data folder: beside its place. */
export function draftIn({ root }: Site): string {
  return join(root, `${draftPrefix}${process.pid}`);
}

/** Data folders that are being made, or that whoever made them has left. */
export function draftsOf({ root }: Site): string[] {
  return listOr(root).flatMap(name => (name.startsWith(draftPrefix) ? [join(root, name)] : []));
}

/** The superuser's password. Made once: `link` lets exactly one of several processes win, and never shows a half-written file. */
export function ensurePassword(site: Site): string {
  return guarded(site.password, () => {
    const draft = `${site.password}.${process.pid}`;
    writeFileSync(draft, `${randomSecret()}\n`, { mode: 0o600 });
    try {
      linkSync(draft, site.password);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    } finally {
      rmSync(draft, { force: true });
    }
    return readPassword(site) ?? '';
  });
}

export function readPassword(site: Site): string | undefined {
  try {
    return readFileSync(site.password, 'utf8').trim() || undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw unwritable(site.password, error);
  }
}

/** Makes a rename in this folder survive a power cut. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Runs `work` and turns the refusals of the file system into Faults. */
export function guarded<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (isFault(error)) throw error;
    throw unwritable(path, error);
  }
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function unwritable(path: string, error: unknown): unknown {
  const code = errorCode(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') return diskFull(path);
  if (code === undefined || !['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOENT'].includes(code)) return error;
  return new Fault('database_unusable', {
    message: `The folder of the database cannot be used: ${code} at ${path}`,
    hint: `Give user ${process.getuid?.() ?? ''} the right to write there, set SKEP_HOME to another folder, or set DATABASE_URL.`,
    facts: { path, reason: code },
    cause: error,
  });
}

export function diskFull(path: string, detail?: string): Fault {
  return new Fault('disk_full', {
    message: `There is no space left on the disk for the database in ${path}${detail ? `: ${detail}` : ''}`,
    hint: 'Free some space (a new database needs 60 MB) and start again; nothing that was acknowledged is lost.',
    facts: { path },
  });
}

function listOr(folder: string): string[] {
  try {
    return statSync(folder).isDirectory() ? readdirSync(folder) : ['(a file)'];
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function realOr(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
