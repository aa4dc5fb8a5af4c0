import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../src/kernel/clock.ts';
import { isKept, sandboxesIn } from '../harness/disks.ts';
import { query } from '../harness/database.ts';
import { type EventView, heldTwice } from '../harness/farm.ts';
import { ownerless } from '../harness/ownerless.ts';
import { processesWith } from '../harness/process.ts';
import { git } from '../samples/git.ts';
import { fileOn, hasBranch, landedOn, ticketsLanded } from '../scenarios/build/published.ts';
import { leftGroups, leftUserIds, type Places } from './users.ts';

/** What is to be looked at, and what its server has said yes to: the test's own book, not the product's. */
export interface Scene {
  /** As the superuser: nothing is asked of the server whose word is on trial. */
  readonly database: string;
  /** Tickets whose making was answered with 201. */
  readonly made: readonly Made[];
  /** Homes of servers, and those of workers. */
  readonly homes: readonly string[];
  readonly workerHomes: readonly string[];
  /** `completed` also where somebody has cancelled it, which the test then says here. */
  readonly cancelled?: ReadonlySet<string>;
  /** Where user ids and groups are noted, where that is not the machine's. */
  readonly places?: Places;
}

export interface Made {
  readonly id: string;
  /** Where its work is to be published: `work/<id>.txt` on the branch of its trunk. Undefined where there is no repository. */
  readonly repository: string | undefined;
}

/** Nothing stands in any list of what came through whole. */
export interface Verdict {
  /** Was promised, and is not there. */
  readonly lost: readonly string[];
  /** Was done twice, or by two at once. */
  readonly doubled: readonly string[];
  /** Will never move, or has not moved. */
  readonly stuck: readonly string[];
  /** Is left behind: processes, mounts, cgroups, user ids, folders, locks, transactions. */
  readonly leaked: readonly string[];
}

export type Fault = keyof Verdict;
export const faults: readonly Fault[] = ['lost', 'doubled', 'stuck', 'leaked'];

/** Looks until nothing is wrong or the time is over; what is wrong then is the verdict. Until then the database may be away too. */
export async function comeClean(scene: Scene, msMax: number): Promise<{ readonly verdict: Verdict; readonly ms: number }> {
  const since = systemClock.mono();
  const passedMs = (): number => Math.round(systemClock.mono() - since);
  for (;;) {
    const verdict = await judge(scene).catch((error: unknown) => {
      if (passedMs() > msMax) throw error;
      return undefined;
    });
    const ms = passedMs();
    if (verdict !== undefined && (isClean(verdict) || ms > msMax)) return { verdict, ms };
    await systemClock.sleep(150);
  }
}

export function isClean(verdict: Verdict): boolean {
  return faults.every(fault => verdict[fault].length === 0);
}

export async function judge(scene: Scene): Promise<Verdict> {
  const [tickets, events] = [await ticketsOf(scene), await eventsOf(scene)];
  return {
    lost: [...lostTickets(scene, tickets), ...(await lostWork(scene)), ...lostEvents(events), ...(await lostWords(scene))],
    doubled: [
      ...(await doubledRows(scene)),
      ...doubledEvents(events),
      ...(await landedTwice(scene)),
      ...(await wrongMoney(scene)),
    ],
    stuck: [
      ...(await stuckRows(scene)),
      ...tickets.filter(isOpen).map(({ id, status, why }) => `ticket ${id} is ${status} (${why})`),
      ...(tickets.some(isOpen) ? await waitingJobs(scene) : []),
    ],
    leaked: [
      ...[...leftProcesses(scene), ...leftFolders(scene), ...leftMounts(scene)],
      ...[...leftGroups(scene.places), ...leftUserIds(scene.workerHomes, scene.places), ...(await leftInDatabase(scene))],
    ],
  };
}

interface TicketRow {
  readonly id: string;
  readonly status: string;
  /** What stands there for people, and how its last run ended. */
  readonly why: string;
}

function ticketsOf({ database }: Scene): Promise<TicketRow[]> {
  return query<TicketRow>(
    database,
    `select t.id, t.status, concat_ws('; ', t.status_reason, t.attempts || ' attempts', (
       select concat_ws(' ', r.state, r.failure_class, r.failure_message, r.halt ->> 'message') from runs r
        where r.tenant_id = t.tenant_id and r.subject_type = 'ticket' and r.subject_id = t.id order by r.created_at desc limit 1)) as why
       from tickets t where t.type <> 'epic'`,
  );
}

const isOpen = ({ status }: TicketRow): boolean => !['completed', 'failed', 'cancelled'].includes(status);

function lostTickets({ made, cancelled = new Set() }: Scene, tickets: readonly TicketRow[]): string[] {
  const known = new Map(tickets.map(ticket => [ticket.id, ticket]));
  return made.flatMap(({ id }) => {
    const ticket = known.get(id);
    if (ticket === undefined) return [`ticket ${id} is gone`];
    const isWrong = !isOpen(ticket) && ticket.status !== 'completed' && !cancelled.has(id);
    return isWrong ? [`ticket ${id} is ${ticket.status}`] : [];
  });
}

/** What is completed stands on the published branch, and each trunk is published as far as it has come. */
async function lostWork({ database, made }: Scene): Promise<string[]> {
  const trunks = await query<{ branch: string; head: string | null; repository: string; done: string[] }>(
    database,
    `select k.branch, k.head_sha as head, p.repository, array(
       select t.id from tickets t where t.project_id = k.project_id and t.spec_id is not distinct from k.spec_id
          and t.type <> 'epic' and t.status = 'completed') as done
       from trunks k join projects p on p.id = k.project_id
      where p.repository is not null and k.head_sha <> k.base_sha`,
  );
  const mine = new Map(made.flatMap(({ id, repository }) => (repository === undefined ? [] : [[id, repository] as const])));
  return trunks.flatMap(({ branch, head, repository, done }) => {
    const at = hasBranch(repository, branch) ? git(repository, 'rev-parse', `refs/heads/${branch}`) : 'nowhere';
    if (at !== head) return [`${branch} is published at ${at} and not at ${head}`];
    return done
      .filter(id => mine.has(id) && fileOn(repository, branch, `work/${id}.txt`) === undefined)
      .map(id => `work of ${id}`);
  });
}

interface EventRow extends EventView {
  readonly position: number | null;
  readonly payload: Readonly<Record<string, unknown>>;
}

async function eventsOf({ database }: Scene): Promise<EventRow[]> {
  const rows = await query<{ position: string | null; type: string; subject_type: string; subject_id: string; payload: object }>(
    database,
    'select position, type, subject_type, subject_id, payload from events order by position nulls last, id',
  );
  return rows.map(
    ({ position, type, subject_type, subject_id, payload }) =>
      ({
        position: position === null ? null : Number(position),
        type,
        subject: { type: subject_type, id: subject_id },
        payload,
      }) as EventRow,
  );
}

/** Positions are without a gap, from the first: whoever follows them misses nothing. */
function lostEvents(events: readonly EventRow[]): string[] {
  const placed = events.filter(({ position }) => position !== null);
  const wrong = placed.findIndex(({ position }, index) => position !== index + 1);
  const open = events.length - placed.length;
  return [
    ...(wrong < 0 ? [] : [`event ${wrong + 1} has position ${placed[wrong]?.position}`]),
    ...(open === 0 ? [] : [`${open} events have no position yet`]),
  ];
}

/** What an agent has told is kept without a gap. */
async function lostWords({ database }: Scene): Promise<string[]> {
  const rows = await query<{ what: string }>(
    database,
    `select 'transcript of run ' || run_id || ' has ' || count(*) || ' events up to the number ' || max(seq) as what
       from transcript_events group by tenant_id, run_id having count(*) <> max(seq)`,
  );
  return rows.map(({ what }) => what);
}

const onceEach = [
  ...['ticket.completed', 'change.merged', 'trunk.opened', 'session.building', 'run.submitted', 'run.accepted'],
  ...['question.opened', 'question.answered', 'question.expired'],
];

function doubledEvents(events: readonly EventRow[]): string[] {
  const twice = onceEach.flatMap(type => {
    const subjects = events.filter(event => event.type === type).map(({ subject }) => subject.id);
    return subjects.filter((id, index) => subjects.indexOf(id) !== index).map(id => `${type} of ${id}`);
  });
  return [...twice, ...heldTwice(events).map(id => `${id} was held by two at once`)];
}

async function doubledRows({ database }: Scene): Promise<string[]> {
  const rows = await query<{ what: string }>(
    database,
    `select 'ticket ' || subject_id || ' has two accepted runs' as what from runs
      where subject_type = 'ticket' and state = 'accepted' group by subject_id having count(*) > 1
     union all
     select 'ticket ' || ticket_id || ' has two runs at work' from runs
      where subject_type = 'ticket' and state in ('queued', 'leased', 'starting', 'working', 'submitted')
      group by ticket_id having count(*) > 1
     union all
     select 'session ' || session_id || ' has two epics' from tickets
      where type = 'epic' and session_id is not null group by session_id having count(*) > 1
     union all
     select 'transcript of run ' || run_id || ' says twice what was told at ' || at from transcript_events
      group by tenant_id, run_id, type, at, body having count(*) > 1
     union all
     select 'template ' || v.id || ' is the same as the version before' from template_versions v
       join template_versions b on b.tenant_id = v.tenant_id and b.name = v.name and b.version = v.version - 1
      where (v.source, v.agent, v.prompt, v.limits, v.fallback) = (b.source, b.agent, b.prompt, b.limits, b.fallback)
     union all
     select subject_type || ' ' || subject_id || ' was asked about twice: ' || min(text) from questions
      where kind = 'ask' and not (state = 'expired' and decided_at < due_at)
      group by tenant_id, subject_type, subject_id, key having count(*) > 1`,
  );
  return rows.map(({ what }) => what);
}

async function landedTwice({ database }: Scene): Promise<string[]> {
  const trunks = await query<{ branch: string; base: string; repository: string }>(
    database,
    `select k.branch, k.base_sha as base, p.repository from trunks k join projects p on p.id = k.project_id
      where p.repository is not null and k.published_sha is not null`,
  );
  return trunks.flatMap(({ branch, base, repository }) => {
    const landed = hasBranch(repository, branch) ? ticketsLanded(landedOn(repository, branch, base)) : [];
    return landed.filter((id, index) => landed.indexOf(id) !== index).map(id => `${id} landed twice on ${branch}`);
  });
}

/** Each budget holds what its calls were charged and what those still open have reserved: no more, which would be twice, and no less. */
async function wrongMoney({ database }: Scene): Promise<string[]> {
  const rows = await query<{ what: string }>(
    database,
    `select concat_ws(' ', 'budget', b.scope, b.scope_id, 'says', b.spent_microusd, b.spent_tokens, b.reserved_microusd, b.reserved_tokens,
                      'and its calls', c.spent_microusd, c.spent_tokens, c.reserved_microusd, c.reserved_tokens) as what
       from budgets b cross join lateral (
         select coalesce(sum(charged_microusd), 0) as spent_microusd, coalesce(sum(charged_tokens), 0) as spent_tokens,
                coalesce(sum(reserved_microusd) filter (where state = 'reserved'), 0) as reserved_microusd,
                coalesce(sum(reserved_tokens) filter (where state = 'reserved'), 0) as reserved_tokens
           from model_calls where tenant_id = b.tenant_id and b.id = any (budget_ids)) c
      where (b.spent_microusd, b.spent_tokens, b.reserved_microusd, b.reserved_tokens)
            is distinct from (c.spent_microusd, c.spent_tokens, c.reserved_microusd, c.reserved_tokens)`,
  );
  return rows.map(({ what }) => what);
}

/** Rows without an owner, leases that ran out and that nobody has taken back, jobs in the hands of the dead or given up. */
async function stuckRows({ database }: Scene): Promise<string[]> {
  const rows = await query<{ what: string }>(
    database,
    `select 'run ' || id || ' is ' || state || ' since its lease ran out' as what from runs
      where lease_expires_at < clock_timestamp() and state in ('leased', 'starting', 'working')
     union all
     select 'call ' || c.id || ' of run ' || r.id || ' is open, and the run is ' || r.state from model_calls c
       join runs r on r.tenant_id = c.tenant_id and r.id = c.run_id
      where c.state = 'reserved' and r.state not in ('queued', 'leased', 'starting', 'working', 'submitted', 'parked')
     union all
     select 'job ' || id || ' is held by ' || locked_by || ', which is gone' from graphile_worker._private_jobs j
      where locked_by is not null and not exists (select from servers s where j.locked_by = any (s.job_slots))
     union all
     select 'job ' || id || ' was given up: ' || last_error from graphile_worker._private_jobs
      where attempts >= max_attempts and locked_by is null`,
  );
  const alone = await ownerless(database);
  return [
    ...rows.map(({ what }) => what),
    ...alone.map(({ kind, id, state }) => `${kind} ${id} is ${state}, and nothing moves it`),
  ];
}

/** Beside work that does not come to its end: what it may wait for. */
async function waitingJobs({ database }: Scene): Promise<string[]> {
  const rows = await query<{ what: string }>(
    database,
    `select concat_ws(' ', 'job', j.id, t.identifier, 'is due in', round(extract(epoch from j.run_at - clock_timestamp())::numeric, 1), 's after',
                      j.attempts, 'attempts', 'held by ' || j.locked_by, j.last_error) as what
       from graphile_worker._private_jobs j join graphile_worker._private_tasks t on t.id = j.task_id order by j.run_at limit 20`,
  );
  return rows.map(({ what }) => what);
}

/** A server's own processes have no home on their command line; what runs in a sandbox has its worker's. */
function leftProcesses({ workerHomes }: Scene): string[] {
  return workerHomes.flatMap(home => processesWith(join(home, 'sandboxes')).map(pid => `process ${pid} of ${home}`));
}

function leftFolders({ homes, workerHomes }: Scene): string[] {
  const all = [
    ...workerHomes.flatMap(home => [join(home, 'sandboxes'), join(home, 'worker/notes'), join(home, 'worker/rescued')]),
    ...homes.map(home => join(home, 'blobs/incoming')),
  ];
  return all.filter(path => existsSync(path)).flatMap(path => sandboxesIn(path).map(name => join(path, name)));
}

function leftMounts({ workerHomes }: Scene): string[] {
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return workerHomes.flatMap(home => mounts.filter(line => line.includes(home) && !isOfKept(line)).map(line => `mount ${line}`));
}

function isOfKept(line: string): boolean {
  return isKept(/[/]sandboxes[/]([^/ ]+)/.exec(line)?.[1] ?? '');
}

/** A transaction that nobody ends holds its locks, and what it has seen, for ever. */
async function leftInDatabase({ database }: Scene): Promise<string[]> {
  const rows = await query<{ what: string }>(
    database,
    `select 'transaction of ' || pid || ', idle: ' || query as what from pg_stat_activity
      where datname = current_database() and state like 'idle in transaction%' and clock_timestamp() - state_change > '3 s'
     union all
     select 'prepared transaction ' || gid from pg_prepared_xacts where database = current_database()
     union all
     select 'session ' || l.pid || ' waits for a lock' from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where not l.granted and a.datname = current_database() and clock_timestamp() - a.query_start > '5 s'`,
  );
  return rows.map(({ what }) => what);
}
