import { Readable } from 'node:stream';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stages, stagesForTests } from '../../../test/harness/stages.ts';
import { systemClock } from '../../kernel/clock.ts';
import { createFolderBlobs } from '../../providers/blobs/folder.ts';
import type { BlobStore } from './blobs.ts';
import type { HolderScope } from './holder.ts';
import type { ClaimedRun } from './queue/claim.ts';
import { reportRun } from './report.ts';
import { appendLog, storeBundle } from './uploads.ts';
import { loseRun } from './recovery/lose.ts';
import { failRun, progress, renew, submitRun } from './verbs.ts';

type Held = Pick<ClaimedRun, 'run' | 'token'>;

const rounds = 20;

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

/** Every write of a holder. One that is added to the protocol is added here. */
const writes: Record<string, (scope: HolderScope) => Promise<unknown>> = {
  heartbeat: scope => renew(stages.database, scope, stages.settings),
  'progress to starting': scope => stages.engine(tx => progress(tx, scope.holder, { state: 'starting', leaseMs: 15_000 })),
  'progress to working': scope =>
    stages.engine(tx => progress(tx, scope.holder, { state: 'working', sandbox: 'box', leaseMs: 15_000 })),
  log: scope => appendLog(stages.database, scope, { offset: 0, bytes: Buffer.from('text'), sizeMax: 1_000 }),
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
            (select count(*) from events) as events, (select count(*) from run_logs) as logs, (select count(*) from blobs) as blobs,
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

describe.each(Object.keys(writes))('%s', name => {
  const write = async (claimed: Held) => {
    const before = await everything();
    await expect(writes[name]?.(scopeOf(claimed))).rejects.toMatchObject({ code: 'lease_lost' });
    expect(await everything()).toEqual(before);
  };

  test(`after the run was lost and another holds the ticket changes nothing, ${rounds} rounds`, async () => {
    for (let round = 0; round < rounds; round++) {
      const first = await stages.claimNew();
      await stages.expire(first.run.id);
      expect(await stages.engine(tx => loseRun(tx, first.run.id, stages.settings))).toBe(true);
      await stages.drain();
      const second = await stages.claim({ worker: 'second', ticketId: first.run.subjectId });
      expect(second?.run).toMatchObject({ subjectId: first.run.subjectId, attempt: 2 });
      expect(second?.run.fence).toBeGreaterThan(first.run.fence ?? Infinity);
      await write(first);
      if (second !== undefined) await stages.engine(tx => submitRun(tx, scopeOf(second).holder, { summary: 'second' }));
      await write(first);
      await stages.drain();
      await write(first);
    }
  });

  test(`with a lease that has run out and was not yet swept, with another's token, or for another's run`, async () => {
    const [mine, theirs] = [await stages.claimNew(), await stages.claimNew()];
    await write({ run: mine.run, token: theirs.token });
    await write({ run: theirs.run, token: mine.token });
    await write({ run: mine.run, token: '' });
    await stages.expire(mine.run.id);
    await write(mine);
    await stages.engine(tx => loseRun(tx, mine.run.id, { ...stages.settings, attemptsMax: 1 }));
    await stages.engine(tx => submitRun(tx, scopeOf(theirs).holder, { summary: 'theirs' }));
    await stages.drain();
  });

  test('of another tenant does not exist', async () => {
    const claimed = await stages.claimNew();
    const other = await stages.makeTenant(`another ${name}`);
    const scope = { ...scopeOf(claimed), tenantId: other };
    const before = await everything();
    const refused =
      name === 'heartbeat' || name === 'log' || name === 'report' || name === 'bundle' ? writes[name]?.(scope) : undefined;
    await expect(refused ?? asTenant(other, claimed)).rejects.toMatchObject({ code: 'run_not_found' });
    expect(await everything()).toEqual(before);
    await stages.engine(tx => submitRun(tx, scopeOf(claimed).holder, { summary: '' }));
    await stages.drain();
  });
});

/** The writes that take a transaction, in one of another tenant. */
function asTenant(tenantId: string, { run, token }: Held): Promise<unknown> {
  const holder = { runId: run.id, token };
  return stages.database.engine({ tenantId, actor: 'test' }, tx => submitRun(tx, holder, { summary: 'mine' }));
}
