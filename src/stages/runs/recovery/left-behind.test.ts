import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { FailureClass, RunResult } from '../../../../contract/runs.ts';
import { temporaryFolder } from '../../../../test/harness/worker.ts';
import { type Stages, useStages } from '../../../../test/harness/stages.ts';
import { type Attempt, handIn, type Site, siteForTests } from '../../../../test/harness/work.ts';
import { resumeRun } from '../../changes/index.ts';
import { sendTicketBack } from '../../tickets/index.ts';
import { decideQuestion } from '../parking/decide.ts';
import { claimRun } from '../queue/claim.sql.ts';
import { failRun, getRun, type submitRun } from '../verbs.ts';

let stages: Stages;
useStages(made => (stages = made));

const ticketOf = (site: Site) => site.ticketIds[0] ?? '';
const verbOf = (failureClass: FailureClass, restartsMax = stages.settings.restartsMax): typeof submitRun => {
  return (tx, holder, result: RunResult) =>
    failRun(tx, holder, { failureClass, message: 'm', result, settings: { ...stages.settings, restartsMax } });
};

/** Where blobs are kept has lost all that it had. */
function loseBlobs(): void {
  const folder = join(stages.folder, 'blobs');
  for (const name of readdirSync(folder)) if (name !== 'incoming') rmSync(join(folder, name), { recursive: true });
}

async function begun(): Promise<{ site: Site; attempt: Attempt }> {
  const site = await siteForTests(stages);
  const attempt = await site.start(ticketOf(site));
  attempt.commit({ 'half.txt': 'half\n' });
  return { site, attempt };
}

/** A bundle whose history has nothing in common with that of the project. */
function orphan(ticketId: string): { bytes: Buffer; head: string } {
  const folder = temporaryFolder();
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', folder, '-c', 'user.name=a', '-c', 'user.email=a@b', ...args], { stdio: 'pipe' });
  git('init', '--quiet');
  git('commit', '--quiet', '--allow-empty', '--message=from nothing');
  git('branch', `skep/${ticketId}`);
  return { bytes: git('bundle', 'create', '--quiet', '-', `skep/${ticketId}`), head: String(git('rev-parse', 'HEAD')).trim() };
}

describe('work that can never be gone on with is left behind', () => {
  test('where its bundle is lost: the next attempt begins where this one did', async () => {
    const { site, attempt } = await begun();
    await attempt.handIn({}, verbOf('agent_died'));
    loseBlobs();
    await stages.drain();
    expect((await site.start(ticketOf(site))).task.commit).toBe(attempt.task.commit);
  });

  test('where its bundle is lost and a person has let it go on: its ticket does not wait for ever', async () => {
    const { site, attempt } = await begun();
    await attempt.handIn({}, verbOf('agent_died', 0));
    await stages.drain();
    const [question] = await stages.sql<{ id: string }>(`select id from questions where state = 'pending'`);
    loseBlobs();
    await stages.app(tx => decideQuestion(tx, { id: question?.id ?? '', answer: 'again' }, stages.settings));
    await stages.drain();
    expect((await site.start(ticketOf(site))).task.commit).toBe(attempt.task.commit);
  });

  test('where it has no history in common with the project', async () => {
    const { site, attempt } = await begun();
    const { bytes, head } = orphan(ticketOf(site));
    const sent = { bytes, result: { summary: '', head, branch: `skep/${ticketOf(site)}` }, verb: verbOf('agent_died') };
    await handIn(stages, attempt.claimed, sent);
    await stages.drain();
    const next = await site.start(ticketOf(site));
    expect([next.task.commit, next.task.has_work]).toEqual([attempt.task.commit, false]);
  });

  test('and holds up nothing when the copy of the repository is made again', async () => {
    const { site, attempt } = await begun();
    await attempt.handIn({}, verbOf('agent_died'));
    await stages.drain();
    // Begun anew by hand, from the trunk: what broke off is of no use to it.
    await stages.sql('update runs set resume_sha = null where id = $1', [attempt.claimed.run.id]);
    const next = await site.start(ticketOf(site));
    await stages.sql(`update runs set resume_sha = result ->> 'head' where id = $1`, [attempt.claimed.run.id]);
    loseBlobs();
    next.commit({ 'b.txt': 'b\n' });
    await next.handIn();
    rmSync((await stages.parts.depot.open(stages.projectId)).gitDir, { recursive: true });
    await stages.drain();
    await site.review();
    expect(site.published()).toMatchObject({ 'b.txt': 'b' });
  });
});

test('work that comes while somebody takes up the next attempt is not told of to that', async () => {
  const { site, attempt } = await begun();
  await attempt.handIn({}, verbOf('agent_died'));
  const { id } = attempt.claimed.run;
  // The net was quicker.
  await stages.engine(tx => sendTicketBack(tx, ticketOf(site), 'its run is gone'));
  await stages.sql(`delete from graphile_worker._private_jobs j using graphile_worker._private_tasks t
                     where t.id = j.task_id and t.identifier = 'resumeRun'`);
  await stages.drain();
  const claimant = new pg.Client({ connectionString: stages.engineUrl, options: '-c search_path=skep' });
  await claimant.connect();
  try {
    await claimant.query('begin');
    const token = Buffer.from('t');
    const claim = [stages.tenantId, 'w', token, ['agent:exec', 'isolation:namespaces'], 60_000, null, token];
    expect((await claimant.query(claimRun.text, claim)).rows).toHaveLength(1);
    let isDone = false;
    const carrying = resumeRun(stages.parts, stages.tenantId, id).finally(() => (isDone = true));
    const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    while (!isDone && (await stages.sql(waiting)).length === 0);
    await claimant.query('commit');
    await carrying;
  } finally {
    await claimant.end();
  }
  expect((await stages.app(tx => getRun(tx, id))).carried).toBe(false);
});
