import type { Clock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import { withClient } from '../server/session.ts';
import { readPassword, type Site } from './place/folder.ts';
import { livePostmaster, type Postmaster } from './pid-file.ts';

export interface Found {
  readonly superuserUrl: string;
  readonly port: number;
  readonly pid: number;
}

/** A server that recovers after a crash says "starting" for as long as that takes. */
const settleMs = 120_000;
const answerMs = 3_000;

/**
 * The server that runs for this home, proven by a connection with our password; undefined when none runs. Waits while it
 * starts or stops. Throws Fault `folder_in_use` when a live Postgres holds the folder but is not ours to use.
 */
export async function adopt(site: Site, clock: Clock): Promise<Found | undefined> {
  const deadline = clock.mono() + settleMs;
  let refusedSince: number | undefined;
  for (;;) {
    const found = livePostmaster(site.data);
    if (found === undefined) return undefined;
    if (found.status === 'ready') {
      const tried = await tryConnect(site, found.port);
      if (tried.ok) return { superuserUrl: tried.url, port: found.port, pid: found.pid };
      refusedSince ??= clock.mono();
      if (clock.mono() - refusedSince > answerMs) throw foreign(site, found, tried.why);
    } else if (clock.mono() > deadline) {
      throw foreign(site, found, `it has been "${found.status}" for ${settleMs / 1000} s`);
    }
    await clock.sleep(10);
  }
}

function superuserUrlOf(password: string, port: number): string {
  return `postgres://postgres:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres?application_name=skep`;
}

async function tryConnect(site: Site, port: number): Promise<{ ok: true; url: string } | { ok: false; why: string }> {
  const password = readPassword(site);
  if (password === undefined) return { ok: false, why: `its password is not in ${site.password}` };
  const url = superuserUrlOf(password, port);
  try {
    await withClient(url, client => client.query('SELECT'));
    return { ok: true, url };
  } catch (error) {
    return { ok: false, why: error instanceof Error ? error.message : String(error) };
  }
}

function foreign(site: Site, holder: Postmaster, why: string): Fault {
  return new Fault('folder_in_use', {
    message: `Another PostgreSQL, process ${holder.pid} (${holder.command}) on port ${holder.port}, runs in ${site.data}, and Skep cannot use it: ${why}`,
    hint: `Stop process ${holder.pid}, set SKEP_HOME to another folder, or set DATABASE_URL.`,
    facts: { pid: holder.pid, port: holder.port, path: site.data },
  });
}
