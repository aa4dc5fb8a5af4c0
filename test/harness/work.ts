import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import type { Check } from '../../contract/projects.ts';
import type { CheckEvidence } from '../../contract/reviews.ts';
import type { RunResult, RunTask } from '../../contract/runs.ts';
import { announceRun } from '../../src/stages/runs/holder.ts';
import { keepTask, taskOf } from '../../src/stages/runs/protocol/task.ts';
import type { ClaimedRun } from '../../src/stages/runs/queue/claim.ts';
import { storeBundle } from '../../src/stages/runs/uploads.ts';
import { askAboutBudget, haltRun } from '../../src/stages/runs/index.ts';
import { getRun, parkRun, submitRun } from '../../src/stages/runs/verbs.ts';
import { listBudgets, setBudget } from '../../src/support/budgets/index.ts';
import { getTicket } from '../../src/stages/tickets/index.ts';
import { startBuild } from '../../src/stages/tickets/build.ts';
import type { Stages } from './stages.ts';
import { git, makeRepository, temporaryFolder } from './worker.ts';

/** Files by path; what is null is deleted. */
export type Files = Readonly<Record<string, string | null>>;

export const check: Check = { name: 'test', command: ['npm', 'test'] };

interface Wanted {
  readonly files?: Readonly<Record<string, string>>;
  readonly checks?: readonly Check[];
  readonly features?: readonly { readonly title: string; readonly depends_on?: string[] }[];
  /** Stop where the base is still to be reviewed. */
  readonly unprepared?: boolean;
}

/** A build of a project with a repository of its own, whose work a test hands in by hand as a worker would. */
export interface Site {
  readonly repository: string;
  readonly sessionId: string;
  readonly ticketIds: readonly string[];
  readonly trunkId: string;
  /** Claims the run of a ticket, as its worker does. */
  start(ticketId: string | undefined): Promise<Attempt>;
  /** Claims the resolution of a conflict. */
  resolve(): Promise<Attempt>;
  /** Claims the next review, hands in its evidence and does what follows from it; green unless said otherwise. */
  review(outcome?: Outcome): Promise<void>;
  /** The whole way of a ticket to its review. */
  submit(ticketId: string | undefined, files: Files): Promise<Attempt>;
  /** The files of a branch of the user's repository; undefined where it has none of that name. */
  published(): Readonly<Record<string, string>> | undefined;
  trunk(): Promise<TrunkState>;
  change(ticketId: string | undefined): Promise<ChangeState | undefined>;
  reviews(ticketId?: string): Promise<{ kind: string; state: string; round: number; reason: string | null }[]>;
  runs(ticketId: string | undefined): Promise<string[]>;
}

type Outcome = 'green' | 'red' | 'flaky' | readonly Partial<CheckEvidence>[];

export interface TrunkState {
  readonly state: string;
  readonly branch: string;
  readonly base: string | null;
  readonly head: string | null;
  readonly merging: string | null;
  readonly merges: number;
  readonly published: string | null;
  readonly reason: string | null;
}

export interface ChangeState {
  readonly id: string;
  readonly state: string;
  readonly approval: string;
  readonly head: string;
  readonly base: string;
  readonly merge: string | null;
  readonly number: number | null;
  readonly files: string[];
}

/** One run in the hands of a test. */
export interface Attempt {
  readonly claimed: ClaimedRun;
  readonly task: RunTask;
  /** Commits on what was checked out, or merges what the task says; the new head. */
  commit(files: Files): string;
  /** A bundle of the head, and what a worker says of it. */
  work(): { readonly bytes: Buffer; readonly result: RunResult };
  /** Uploads a bundle of the head and hands it in, or says with it what `verb` is; `claims` is what the worker says of it. */
  handIn(claims?: Partial<RunResult>, verb?: typeof submitRun): Promise<void>;
  /** The same, but a budget is spent, and the run is parked until the question is decided; the question's id. */
  park(claims?: Partial<RunResult>): Promise<string>;
}

export async function siteForTests(stages: Stages, wanted: Wanted = {}): Promise<Site> {
  const { files = { 'a.txt': 'a\n' }, checks = [check], features = [{ title: 'one' }], unprepared = false } = wanted;
  const repository = makeRepository(files);
  await stages.sql('update projects set repository = $1, checks = $2 where id = $3', [
    repository,
    JSON.stringify(checks),
    stages.projectId,
  ]);
  const sessionId = await stages.approved({ name: 'work', features: [...features] });
  await stages.app(tx => startBuild(tx, sessionId));
  await stages.drain();
  const site = await siteOf(stages, { repository, sessionId });
  if (checks.length > 0 && !unprepared) await site.review();
  return site;
}

async function siteOf(stages: Stages, { repository, sessionId }: { repository: string; sessionId: string }): Promise<Site> {
  const { sql } = stages;
  const ids = await sql<{ id: string }>(`select id from tickets where session_id = $1 and type <> 'epic' order by number`, [
    sessionId,
  ]);
  const specs = 'select id from specs where session_id = $1';
  const [trunk] = await sql<{ id: string }>(`select id from trunks where spec_id in (${specs})`, [sessionId]);
  const trunkId = trunk?.id ?? '';
  const start: Site['start'] = ticketId => attemptOf(stages, { ticketId: ticketId ?? '' }, repository);
  return {
    repository,
    sessionId,
    ticketIds: ids.map(({ id }) => id),
    trunkId,
    start,
    resolve: () => attemptOf(stages, { capabilities: ['conflicts', 'agent:exec'] }, repository),
    review: outcome => review(stages, outcome ?? 'green'),
    async submit(ticketId, files) {
      const attempt = await start(ticketId);
      attempt.commit(files);
      await attempt.handIn();
      await stages.drain();
      return attempt;
    },
    published: () => branchOf(repository, 'skep/work'),
    async trunk() {
      const [row] = await sql<TrunkState>(
        `select state, branch, base_sha as base, head_sha as head, merging_id as merging, merge_count as merges,
                published_sha as published, reason from trunks where id = $1`,
        [trunkId],
      );
      if (row === undefined) throw new Error('the trunk is gone');
      return row;
    },
    async change(ticketId) {
      const [row] = await sql<ChangeState>(
        `select id, state, approval, head_sha as head, base_sha as base, merge_sha as merge, merge_number as number,
                conflict_files as files from changes where ticket_id = $1`,
        [ticketId],
      );
      return row;
    },
    reviews: ticketId =>
      sql(
        `select kind, state, round, reason from reviews where trunk_id = $1 and ticket_id is not distinct from $2 order by created_at, id`,
        [trunkId, ticketId ?? null],
      ),
    async runs(ticketId) {
      const rows = await sql<{ said: string }>(
        `select subject_type || ' ' || state as said from runs where ticket_id = $1 order by created_at, id`,
        [ticketId],
      );
      return rows.map(({ said }) => said);
    },
  };
}

async function attemptOf(
  stages: Stages,
  wish: { ticketId?: string; capabilities?: string[] },
  repository: string,
): Promise<Attempt> {
  const got = await stages.claim(wish);
  if (got === undefined) throw new Error(`nothing to claim for ${JSON.stringify(wish)}`);
  const ticketId = got.run.ticketId ?? '';
  const run = await stages.engine(async tx => keepTask(tx, got, await getTicket(tx, ticketId)));
  const claimed = { ...got, run };
  const { task } = await stages.app(tx => taskOf(tx, run));
  const folder = await checkOut(stages, task);
  const branch = `skep/${ticketId}`;
  return {
    claimed,
    task,
    commit(files) {
      for (const [name, content] of Object.entries(files)) {
        const path = join(folder, name);
        mkdirSync(dirname(path), { recursive: true });
        if (content === null) rmSync(path);
        else writeFileSync(path, content);
      }
      git(folder, 'add', '--all');
      git(folder, 'commit', '--quiet', '--message=work');
      return git(folder, 'rev-parse', 'HEAD');
    },
    work: () => work(),
    handIn: (claims, verb = submitRun) => handIn(stages, claimed, { ...work(claims), verb }),
    async park(claims) {
      const questionId = await spendBudget(stages, claimed);
      await handIn(stages, claimed, { ...work(claims), verb: parkRun });
      return questionId;
    },
  };

  function work(claims: Partial<RunResult> = {}): { bytes: Buffer; result: RunResult } {
    const head = git(folder, 'rev-parse', 'HEAD');
    git(folder, 'branch', '--force', branch);
    const bytes = bundleOf(folder, branch, [task.commit, ...(task.merge === null ? [] : [task.merge])]);
    return { bytes, result: { summary: '', head, branch, ...claims } };
  }

  function bundleOf(from: string, name: string, not: readonly string[]): Buffer {
    const args = ['-C', from, 'bundle', 'create', '--quiet', '-', name, ...not.map(commit => `^${commit}`)];
    return execFileSync('git', args, { stdio: ['ignore', 'pipe', 'inherit'], cwd: repository });
  }
}

/** Uploads these bytes and completes the run with this result and the blob. */
export async function handIn(
  stages: Stages,
  { run, token }: ClaimedRun,
  { bytes, result, verb = submitRun }: { bytes: Buffer; result: RunResult; verb?: typeof submitRun },
): Promise<void> {
  const holder = { runId: run.id, token };
  const scope = { tenantId: stages.tenantId, actor: 'worker', holder };
  const stored = await storeBundle(stages.parts, scope, { source: Readable.from([bytes]), bytesMax: 2 ** 24 });
  await stages.engine(tx => verb(tx, holder, { bundle: stored.sha256, ...result }));
}

/** What a dead worker's machine uploads after it. */
export async function rescue({ parts, sql, engine, tenantId }: Stages, { claimed, work }: Attempt): Promise<void> {
  const blob = await parts.blobs.receive(Readable.from([work().bytes]), 2 ** 24);
  const { id } = claimed.run;
  await sql(`insert into blobs (tenant_id, run_id, kind, sha256, size) values ($1, $2, 'rescue', $3, $4)`, [
    tenantId,
    id,
    blob.sha256,
    blob.size,
  ]);
  await blob.keep();
  await engine(async tx => announceRun(tx, await getRun(tx, id), { type: 'run.rescued', fence: 1 }));
}

/** The gateway refuses a call of this run for lack of money: a budget of half a dollar for the project, all of it spent. */
export async function spendBudget({ app, engine, sql, projectId }: Stages, { run }: ClaimedRun): Promise<string> {
  const { id } = await app(tx => setBudget(tx, { scope: 'project', scopeId: projectId, capMicroUsd: 500_000, capTokens: null }));
  await sql('update budgets set spent_microusd = cap_microusd where id = $1', [id]);
  return engine(async tx => {
    const [budget] = await listBudgets(tx, { limit: 1 });
    if (budget === undefined) throw new Error('no budget');
    const spender = { tenantId: tx.tenantId, runId: run.id, projectId, specId: null, ticketId: run.ticketId, agent: 'exec' };
    const questionId = await askAboutBudget(tx, { budget, message: 'The budget is spent', run: spender });
    await haltRun(tx, run.id, { kind: 'budget', message: 'The budget is spent', questionId });
    return questionId;
  });
}

/** The commit of a task as a sandbox sees it; of a conflict with the merge begun. */
async function checkOut({ parts, projectId }: Stages, task: RunTask): Promise<string> {
  const folder = temporaryFolder();
  const { gitDir } = await parts.depot.open(projectId, task.object_format);
  git(folder, 'init', '--quiet', `--object-format=${task.object_format}`);
  writeFileSync(join(folder, '.git/objects/info/alternates'), `${join(gitDir, 'objects')}\n`);
  git(folder, 'checkout', '--quiet', '--detach', task.commit);
  if (task.merge !== null) {
    try {
      git(folder, 'merge', '--quiet', '--no-commit', '--no-ff', task.merge);
    } catch {
      // In conflict, as it is meant to be.
    }
  }
  return folder;
}

async function review(stages: Stages, outcome: Outcome): Promise<void> {
  const claimed = await stages.claim({ capabilities: ['checks'] });
  if (claimed === undefined) throw new Error('there is nothing to review');
  const asked = claimed.run.task?.checks ?? [];
  const checks =
    typeof outcome === 'string'
      ? asked.map(each => evidence(each, outcome))
      : outcome.map(each => evidence(check, 'green', each));
  await stages.engine(tx => submitRun(tx, { runId: claimed.run.id, token: claimed.token }, { summary: '', checks }));
  await stages.drain();
}

export function evidence(of: Check, outcome: 'green' | 'red' | 'flaky', more: Partial<CheckEvidence> = {}): CheckEvidence {
  const isRed = outcome === 'red';
  return {
    ...of,
    outcome: 'exited',
    exit_code: isRed ? 1 : 0,
    duration_ms: 5,
    flaky: outcome === 'flaky',
    tests: null,
    output_tail: isRed ? 'one is red' : '',
    ...more,
  };
}

function branchOf(repository: string, branch: string): Readonly<Record<string, string>> | undefined {
  if (git(repository, 'for-each-ref', `refs/heads/${branch}`) === '') return undefined;
  const names = git(repository, 'ls-tree', '-r', '--name-only', branch).split('\n').filter(Boolean);
  return Object.fromEntries(names.map(name => [name, git(repository, 'show', `${branch}:${name}`)]));
}

/** State of a run as it is now. */
export async function runState(stages: Stages, { claimed }: Attempt): Promise<string> {
  return (await stages.app(tx => getRun(tx, claimed.run.id))).state;
}
