import { Readable } from 'node:stream';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Stages, stagesForTests } from '../../../test/harness/stages.ts';
import { systemClock } from '../../kernel/clock.ts';
import { createFolderBlobs } from '../../providers/blobs/folder.ts';
import type { BlobStore } from './blobs.ts';
import type { HolderScope } from './holder.ts';
import type { ClaimedRun } from './queue/claim.ts';
import { reportRun } from './report.ts';
import { appendLog, storeBundle } from './uploads.ts';
import { appendTranscript } from './transcript/transcript.ts';
import { loseRun } from './recovery/lose.ts';
import { failRun, progress, renew, submitRun } from './verbs.ts';

type Held = Pick<ClaimedRun, 'run' | 'token'>;

let stages: Stages;
let blobs: BlobStore;
let folder: string;
beforeAll(async () => {
  stages = await stagesForTests();
  folder = mkdtempSync(join(tmpdir(), 'skep-fence-'));
  blobs = await createFolderBlobs(folder, systemClock);
});
afterAll(async () => {
  const left = await stages.ownerless();
  await stages.close();
  rmSync(folder, { recursive: true });
  expect(left).toEqual([]);
});

const bundle = () => Readable.from([Buffer.from('# v2 git bundle\n0000')]);

const event = { type: 'message', at: '2026-01-02T03:04:05.000Z', text: 'mine' } as const;

/** The verbs by which a holder writes. All of them over HTTP, and by every kind of zombie: test/scenarios/fencing. */
const writes: Record<string, (scope: HolderScope) => Promise<unknown>> = {
  heartbeat: scope => renew(stages.database, scope, stages.settings),
  'progress to starting': scope => stages.engine(tx => progress(tx, scope.holder, { state: 'starting', leaseMs: 15_000 })),
  'progress to working': scope =>
    stages.engine(tx => progress(tx, scope.holder, { state: 'working', sandbox: 'box', leaseMs: 15_000 })),
  log: scope => appendLog(stages.database, scope, { offset: 0, bytes: Buffer.from('text'), sizeMax: 1_000 }),
  transcript: scope => appendTranscript(stages.database, scope, { offset: 0, bytes: 10, events: [event] }),
  report: scope => reportRun(stages.database, scope, { type: 'note', payload: {} }),
  bundle: scope => storeBundle({ database: stages.database, blobs }, scope, { source: bundle(), bytesMax: 1_000 }),
  complete: scope => stages.engine(tx => submitRun(tx, scope.holder, { summary: 'mine' })),
  fail: scope =>
    stages.engine(tx => failRun(tx, scope.holder, { failureClass: 'agent_failed', message: 'mine', settings: stages.settings })),
};

const scopeOf = ({ run, token }: Held): HolderScope => ({
  tenantId: stages.tenantId,
  actor: 'worker:w',
  holder: { runId: run.id, token },
});

/** All that a write could change. */
const everything = () =>
  stages.sql(
    `select (select jsonb_agg(to_jsonb(r) order by id) from runs r) as runs, (select jsonb_agg(to_jsonb(t) order by number) from tickets t) as tickets,
            (select count(*) from events) as events, (select count(*) from run_logs) as logs,
            (select count(*) from transcript_events) as transcripts, (select count(*) from blobs) as blobs,
            (select count(*) from graphile_worker._private_jobs) as jobs`,
  );

test.each(Object.keys(writes))('%s is let in while the lease is held', async name => {
  const claimed = await stages.claimNew();
  await writes[name]?.(scopeOf(claimed));
  await stages.drain();
  await stages.expire(claimed.run.id).catch(() => 'it has ended');
  await stages.engine(tx => loseRun(tx, claimed.run.id, { ...stages.settings, attemptsMax: 1 }));
  await stages.drain();
});

/** Tries all of them: what is refused changes nothing, so the next finds what the first has found. */
async function tryAll(scope: HolderScope, code: string): Promise<void> {
  const before = await everything();
  for (const [name, write] of Object.entries(writes)) {
    const outcome = await write(scope).then(
      () => 'kept',
      (error: unknown) => (error as { code?: string }).code,
    );
    expect([name, outcome]).toEqual([name, code]);
    expect([name, await everything()]).toEqual([name, before]);
  }
}

test('of a run that was lost: whoever takes it over, nothing more is kept, until it is over', async () => {
  const first = await stages.claimNew();
  await stages.expire(first.run.id);
  await tryAll(scopeOf(first), 'lease_lost');
  expect(await stages.engine(tx => loseRun(tx, first.run.id, stages.settings))).toBe(true);
  await tryAll(scopeOf(first), 'lease_lost');
  await stages.drain();
  const second = await stages.claim({ worker: 'second', ticketId: first.run.subjectId });
  if (second === undefined) throw new Error('nobody could take it over');
  expect(second.run).toMatchObject({ subjectId: first.run.subjectId, attempt: 2 });
  expect(second.run.fence).toBeGreaterThan(first.run.fence ?? Infinity);
  await tryAll(scopeOf(first), 'lease_lost');
  await tryAll(scopeOf({ run: second.run, token: first.token }), 'lease_lost');
  await stages.engine(tx => submitRun(tx, scopeOf(second).holder, { summary: 'second' }));
  await tryAll(scopeOf(first), 'lease_lost');
  await stages.drain();
  await tryAll(scopeOf(first), 'lease_lost');
});

test('with the token of another run, or none, nothing is kept', async () => {
  const [mine, theirs] = [await stages.claimNew(), await stages.claimNew()];
  await tryAll(scopeOf({ run: mine.run, token: theirs.token }), 'lease_lost');
  await tryAll(scopeOf({ run: theirs.run, token: mine.token }), 'lease_lost');
  await tryAll(scopeOf({ run: mine.run, token: '' }), 'lease_lost');
  for (const held of [mine, theirs]) await stages.engine(tx => submitRun(tx, scopeOf(held).holder, { summary: '' }));
  await stages.drain();
});

test('of another tenant the run does not exist', async () => {
  const claimed = await stages.claimNew();
  const tenantId = await stages.makeTenant('another');
  const usual = stages;
  // The writes that take a transaction take one of that tenant.
  stages = { ...usual, tenantId, engine: body => usual.database.engine({ tenantId, actor: 'test' }, body) };
  try {
    await tryAll({ ...scopeOf(claimed), tenantId }, 'run_not_found');
  } finally {
    stages = usual;
  }
  await stages.engine(tx => submitRun(tx, scopeOf(claimed).holder, { summary: '' }));
  await stages.drain();
});
