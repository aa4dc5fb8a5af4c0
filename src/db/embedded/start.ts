import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Log } from '../../kernel/log.ts';
import { listenerText, whoListens } from '../../kernel/processes/port.ts';
import { adopt, type Found } from './adopt.ts';
import { embeddedMajor, embeddedVersion, findBinaries } from './place/binaries.ts';
import { diskFull, inspectData, makeSite, readPassword, type Site, siteOf } from './place/folder.ts';
import { chooseIdentity } from './place/identity.ts';
import { initialise } from './init.ts';
import { type Launch, type Launched, launch, type Refusal } from './launch.ts';
import { clearLeftovers } from './leftovers.ts';
import { withLock } from './place/lock.ts';
import { freePort, rememberedPort, rememberPort } from './place/port.ts';

export interface EmbeddedServer {
  readonly superuserUrl: string;
  readonly port: number;
  readonly pid: number;
  /** It ran already. */
  readonly adopted: boolean;
  readonly dataFolder: string;
}

export interface StartOptions {
  /** SKEP_HOME, an absolute path; the database lives in `<home>/postgres`. */
  readonly home: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Wanted port; without it the port of the last start, else a free one. A running server keeps the port that it has. */
  readonly port?: number | undefined;
  /** Where the package with the programs lies, when npm did not put it where Node finds it. */
  readonly packageFolder?: string | undefined;
}

const lockWaitMs = 180_000;

/**
 * Starts the server of this home, making its data folder the first time, or adopts the one that runs. Any number of processes
 * may call it at once. Throws Faults `database_unusable`, `folder_in_use`, `address_in_use`, `disk_full`, `invalid_config`.
 */
export async function startEmbedded(options: StartOptions): Promise<EmbeddedServer> {
  const present = siteOf(options.home);
  const running = await adopt(present, options.clock);
  if (running) return served(present, running, true);
  const site = makeSite(options.home);
  return withLock({ file: site.lock, clock: options.clock, waitMs: lockWaitMs }, async () => {
    const since = await adopt(site, options.clock);
    if (since) return served(site, since, true);
    return served(site, await bringUp(site, options), false);
  });
}

async function bringUp(site: Site, { clock, log, port, packageFolder }: StartOptions): Promise<Found> {
  const start = clock.mono();
  const copyTo = join(site.root, `native-${embeddedVersion}`);
  const state = inspectData(site);
  refuseForeignData(site, state);
  const { identity, binaries } = chooseIdentity({ site, binaries: findBinaries({ copyTo, packageFolder }), copyTo });
  if (state.is === 'absent') await initialise(site, binaries, identity);
  else await clearLeftovers({ site, clock, log });
  const found = await launchSomewhere({ site, binaries, identity, clock }, port);
  failpoint('embedded-launched');
  rememberPort(site, found.port);
  log.info(
    { pid: found.pid, port: found.port, first: state.is === 'absent', ms: Math.round(clock.mono() - start) },
    'database started',
  );
  return found;
}

/** A given port is used or refused. Without one the last port is tried first; another program may have taken it since. */
async function launchSomewhere(about: Launch, given: number | undefined): Promise<Found> {
  let port = given ?? rememberedPort(about.site) ?? (await freePort());
  for (let attempt = 1; ; attempt++) {
    const launched = await launchWhenFree(about, port);
    const found = launched.ok || launched.why === 'folder_busy' ? await adopt(about.site, about.clock) : undefined;
    if (found) return found;
    if (launched.ok || launched.why !== 'port_in_use' || given !== undefined || attempt === 5)
      throw whyNotStarted(about.site, launched, port);
    port = await freePort();
  }
}

/** The kernel may hold a dead server's shared memory a moment longer than its processes can be seen. */
async function launchWhenFree(about: Launch, port: number): Promise<Launched> {
  const deadline = about.clock.mono() + 10_000;
  for (;;) {
    const launched = await launch(about, port);
    if (launched.ok || launched.why !== 'folder_busy' || about.clock.mono() > deadline) return launched;
    await about.clock.sleep(25);
  }
}

function served(site: Site, { superuserUrl, port, pid }: Found, adopted: boolean): EmbeddedServer {
  return { superuserUrl, port, pid, adopted, dataFolder: site.data };
}

function refuseForeignData(site: Site, state: ReturnType<typeof inspectData>): void {
  if (state.is === 'absent') return;
  const hint = 'Set SKEP_HOME to another folder, move this one away, or set DATABASE_URL.';
  const facts = { path: site.data };
  if (state.is === 'other') {
    throw new Fault('database_unusable', { message: `${site.data} is not empty and holds no database`, hint, facts });
  }
  if (state.major !== embeddedMajor) {
    const message = `${site.data} holds a database of PostgreSQL ${state.major}, and this Skep brings PostgreSQL ${embeddedMajor}`;
    throw new Fault('database_unusable', { message, hint: `Use the Skep that made it to export it, or: ${hint}`, facts });
  }
  if (readPassword(site) === undefined) {
    throw new Fault('database_unusable', {
      message: `The password of the database is missing: ${site.password}`,
      hint: 'Restore that file from a backup.',
      facts,
    });
  }
}

function whyNotStarted(site: Site, launched: Launched, port: number): Fault {
  const { why, line } = launched.ok ? { why: 'other' as Refusal, line: 'it started and ended at once' } : launched;
  if (why === 'disk_full') return diskFull(site.root, line);
  if (why === 'port_in_use') {
    return new Fault('address_in_use', {
      message: `Port ${port} of 127.0.0.1 is in use${listenerText(port)}`,
      hint: `Stop that program, or choose another port for the database.`,
      facts: { port, pid: whoListens(port)?.pid },
    });
  }
  return new Fault(why === 'folder_busy' ? 'folder_in_use' : 'database_unusable', {
    message: `The database in ${site.data} did not start: ${line}`,
    hint: `The whole story is at the end of ${site.log}.`,
    facts: { path: site.data },
  });
}
