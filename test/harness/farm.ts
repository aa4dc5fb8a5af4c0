import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SpecCardInput } from '../../contract/spec-card.ts';
import { startEmbedded } from '../../src/db/embedded/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { withDatabase } from './database.ts';
import { type Ownerless, ownerless, refuseOwnerless } from './ownerless.ts';
import { lookAtEnd, type SkepProcess, skep, tempFolder } from './process.ts';
import { type Call, callWith } from './server.ts';
import { refuseDrift } from '../replay/drift.ts';
import { approvedSession } from './story.ts';

/** A server process with its own database, and what a story needs to drive it. */
export interface Farm {
  readonly url: string;
  readonly home: string;
  readonly token: string;
  readonly server: SkepProcess;
  readonly call: Call;
  /** The same home again, after the server was killed; with what is given instead of that part of its environment. */
  restart(env?: Readonly<Record<string, string>>): Promise<Farm>;
  worker(name: string, more?: { slots?: number; url?: string; env?: Record<string, string> }): SkepProcess;
}

/** For tests that kill more than anybody would have healed: each is run again at once, and nobody is asked. */
export const untiring = {
  SKEP_ATTEMPTS_MAX: '100',
  SKEP_RESTART_COOLDOWN_S: '0',
  SKEP_RESTARTS_MAX: '1000',
  SKEP_STORM_FAILURES: '100000',
} as const;

/** In a home of its own, which ends (`endAll`) with no row that nothing will ever move, and with rows that are what its events say. */
export async function startFarm(env: Readonly<Record<string, string>> = {}, home = tempFolder()): Promise<Farm> {
  const farm = await farmIn(home, env, { port: '0', token: undefined });
  lookAtEnd(async () => {
    const superuserUrl = await databaseOf(farm);
    await refuseOwnerless(superuserUrl);
    await refuseDrift(superuserUrl);
  });
  return farm;
}

async function farmIn(
  home: string,
  env: Readonly<Record<string, string>>,
  at: { port: string; token: string | undefined },
): Promise<Farm> {
  const server = skep(['server', '--json'], { SKEP_HOME: home, SKEP_PORT: at.port, ...env });
  const ready = await server.line(line => line['event'] === 'ready');
  const url = String(ready['url']);
  const token = at.token ?? String(ready['admin_token']);
  return {
    url,
    home,
    token,
    server,
    call: callWith(url, token),
    restart: more => farmIn(home, { ...env, ...more }, { port: new URL(url).port, token }),
    worker: (name, { slots = 1, url: server = url, env: more = {} } = {}) =>
      skep(['worker', '--json', '--server', server, '--name', name, '--slots', String(slots)], {
        SKEP_HOME: join(home, 'workers', name),
        SKEP_TOKEN: token,
        ...more,
      }),
  };
}

/** A repository with an agent in it: `script` is what it does. */
function repositoryWith(script: string): string {
  const folder = tempFolder();
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@example.invalid', ...args]);
  git('init', '--quiet', '--initial-branch', 'main');
  writeFileSync(join(folder, 'agent.sh'), script);
  git('add', '--all');
  git('commit', '--quiet', '--message', 'Begin');
  return folder;
}

/** Lets a spec be built by an exec agent that runs `script`; the session's id. */
export async function build(farm: Farm, script: string, spec: SpecCardInput): Promise<string> {
  const repository = repositoryWith(script);
  const agent = { kind: 'exec', command: ['sh', 'agent.sh'] };
  await farm.call('POST', '/api/projects', { name: spec.name, repository, agent });
  const session = await approvedSession(farm, spec, spec.name);
  await farm.call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
  return session;
}

export interface TicketView {
  readonly id: string;
  readonly title: string;
  readonly type: string;
  readonly status: string;
  readonly status_reason: string | null;
  readonly attempts: number;
  readonly depends_on: readonly string[];
}

export async function tickets(farm: Pick<Farm, 'call'>): Promise<TicketView[]> {
  const { body } = await farm.call('GET', '/api/tickets?limit=500');
  return (body['tickets'] as TicketView[]).filter(ticket => ticket.type !== 'epic');
}

export async function allCompleted(farm: Pick<Farm, 'call'>): Promise<TicketView[] | undefined> {
  const all = await tickets(farm);
  const failed = all.filter(ticket => ticket.status === 'failed');
  if (failed.length > 0) throw new Error(`failed: ${JSON.stringify(failed)}`);
  return all.every(ticket => ticket.status === 'completed') ? all : undefined;
}

export interface EventView {
  readonly type: string;
  readonly subject: { readonly type: string; readonly id: string };
  readonly actor: string;
  readonly at: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

/** The whole log, page by page. */
export async function allEvents(farm: Pick<Farm, 'call'>): Promise<EventView[]> {
  const events: EventView[] = [];
  for (let after = ''; ; ) {
    const { body } = await farm.call('GET', `/api/events?limit=500${after === '' ? '' : `&after=${after}`}`);
    const page = body['events'] as EventView[];
    if (page.length === 0) return events;
    events.push(...page);
    after = String(body['next']);
  }
}

/** Rows of the farm's database that are not over and that nothing will ever move. */
export async function leftAlone(farm: Pick<Farm, 'home'>): Promise<Ownerless[]> {
  return ownerless(await databaseOf(farm));
}

/** The farm's database as its superuser; started where it does not run. */
export async function databaseOf({ home }: Pick<Farm, 'home'>): Promise<string> {
  const { superuserUrl } = await startEmbedded({ home, clock: systemClock, log: silentLog });
  return withDatabase(superuserUrl, 'skep');
}

/** How often transactions waited for each other until the database had to end one: each costs all of them a second. */
export function deadlocks({ home }: Pick<Farm, 'home'>): number {
  return readFileSync(join(home, 'postgres', 'server.log'), 'utf8').split('deadlock detected').length - 1;
}

/** Tickets that two runs held at once, by the log alone: a claim that follows a claim without an end in between. */
export function heldTwice(events: readonly EventView[]): string[] {
  const holder = new Map<string, string>();
  const twice: string[] = [];
  // A run that is queued again was given back: its claim had reached nobody.
  const over = ['run.submitted', 'run.parked', 'run.failed', 'run.lost', 'run.cancelled', 'run.queued'];
  for (const { type, subject, payload } of events) {
    const ticket = String(payload['subject']);
    if (type === 'run.leased') {
      if (holder.has(ticket)) twice.push(ticket);
      holder.set(ticket, subject.id);
    } else if (over.includes(type) && holder.get(ticket) === subject.id) {
      holder.delete(ticket);
    }
  }
  return twice;
}
