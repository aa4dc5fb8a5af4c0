import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { check, siteForTests } from '../../../test/harness/work.ts';
import { git, makeRepository } from '../../../test/harness/worker.ts';
import { prepareAgain } from '../../support/repositories/index.ts';
import { editProject } from '../../support/projects/index.ts';
import { cancelRun, failRun } from '../runs/verbs.ts';
import { prepareTrunk } from './prepare.ts';

let stages: Stages;
useStages(made => (stages = made));

const again = (trunkId: string, redBase?: 'refuse' | 'leave_out') => stages.app(tx => prepareAgain(tx, trunkId, redBase));
const queued = async () => (await stages.sql(`select from runs where state = 'queued' and subject_type = 'ticket'`)).length;
const notes = async () =>
  (await stages.sql<{ checks: { name: string }[]; notes: string[] }>('select checks, notes from trunks'))[0];

describe('the commit that work starts from', () => {
  test('is fetched, and checked before any agent runs', async () => {
    const site = await siteForTests(stages, { unprepared: true });
    expect(await site.trunk()).toMatchObject({ state: 'checking', base: git(site.repository, 'rev-parse', 'HEAD') });
    expect(await queued()).toBe(0);
    await site.review();
    expect(await site.trunk()).toMatchObject({ state: 'ready', branch: 'skep/work' });
    expect(await queued()).toBe(1);
    expect(await site.reviews()).toMatchObject([{ kind: 'base', state: 'passed', round: 1 }]);
  });

  test('without checks is ready at once; so is a project without a repository', async () => {
    expect(await (await siteForTests(stages, { checks: [] })).trunk()).toMatchObject({ state: 'ready' });
    await stages.sql('update projects set repository = null, checks = null');
    await stages.open();
    await stages.drain();
    expect(await stages.sql('select state, base_sha = head_sha as same from trunks where spec_id is null')).toEqual([
      { state: 'ready', same: true },
    ]);
  });

  test('has its checks found where the project names none', async () => {
    const repository = makeRepository({ 'package.json': JSON.stringify({ scripts: { test: 'node --test' } }) });
    await stages.sql('update projects set repository = $1', [repository]);
    await stages.open();
    await stages.drain();
    expect((await notes())?.checks).toEqual([{ name: 'npm test', command: ['npm', 'test'] }]);
    expect(await stages.sql('select state from trunks')).toEqual([{ state: 'checking' }]);
  });

  test('is prepared once, however many jobs think of it', async () => {
    const site = await siteForTests(stages, { unprepared: true });
    await stages.sql(`update reviews set state = 'inconclusive', ended_at = now()`);
    await stages.sql(`update runs set state = 'cancelled', ended_at = now()`);
    await stages.sql(`update trunks set state = 'preparing'`);
    await Promise.all(Array.from({ length: 8 }, () => prepareTrunk(stages.parts, stages.tenantId, site.trunkId)));
    expect(await site.reviews()).toMatchObject([{ state: 'inconclusive' }, { state: 'pending', round: 2 }]);
    await site.review();
    expect(await queued()).toBe(1);
  });

  test('is that of the repository that the project has in the end', async () => {
    const site = await siteForTests(stages, { unprepared: true });
    await stages.sql(`update reviews set state = 'inconclusive', ended_at = now()`);
    await stages.sql(`update runs set state = 'cancelled', ended_at = now()`);
    await stages.sql(`update trunks set state = 'preparing'`);
    const repository = makeRepository({ 'other.txt': 'o\n' });
    const { upstream } = stages.parts;
    let looks = 0;
    const changing = {
      ...upstream,
      async fetch(...args: Parameters<typeof upstream.fetch>) {
        const commit = await upstream.fetch(...args);
        if (looks++ === 0) await stages.app(tx => editProject(tx, stages.projectId, { repository }));
        return commit;
      },
    };
    await prepareTrunk({ ...stages.parts, upstream: changing }, stages.tenantId, site.trunkId);
    expect(await site.trunk()).toMatchObject({ state: 'checking', base: git(repository, 'rev-parse', 'HEAD') });
    expect(looks).toBe(2);
  });
});

describe('a base that is red', () => {
  test('stops the build with what was red, until a person has it prepared again', async () => {
    const site = await siteForTests(stages, { unprepared: true });
    await site.review('red');
    const { state, reason } = await site.trunk();
    expect([state, reason]).toEqual([
      'refused',
      'The checks fail on the base commit itself, before any work: `npm test` ended with exit code 1',
    ]);
    expect(await queued()).toBe(0);
    git(site.repository, 'commit', '--quiet', '--allow-empty', '--message=mended');
    await again(site.trunkId);
    await stages.drain();
    await site.review();
    expect(await site.trunk()).toMatchObject({ state: 'ready', base: git(site.repository, 'rev-parse', 'HEAD'), reason: null });
    expect(await queued()).toBe(1);
  });

  test('goes on without the red checks where a person says so', async () => {
    const site = await siteForTests(stages, { unprepared: true, checks: [check, { name: 'lint', command: ['lint'] }] });
    await site.review([{ exit_code: 1 }, { name: 'lint', command: ['lint'] }]);
    await again(site.trunkId, 'leave_out');
    await stages.drain();
    await site.review([{ exit_code: 1 }, { name: 'lint', command: ['lint'] }]);
    expect(await site.trunk()).toMatchObject({ state: 'ready' });
    expect(await notes()).toMatchObject({
      checks: [{ name: 'lint' }],
      notes: [expect.stringContaining('test is red on the base commit and left out')],
    });
  });

  test('that was green when it was run again counts as green, and is told', async () => {
    const site = await siteForTests(stages, { unprepared: true });
    await site.review('flaky');
    expect(await site.trunk()).toMatchObject({ state: 'ready' });
    expect((await notes())?.notes).toEqual([expect.stringContaining('cannot be relied on')]);
  });
});

describe('a base that cannot be checked', () => {
  test.each([
    ['the worker hands in no evidence', async () => (await siteForTests(stages, { unprepared: true })).review([])],
    [
      'no run gets through',
      async () => {
        await siteForTests(stages, { unprepared: true });
        // What the machine did is tried twice as often as what an agent did.
        for (let i = 0; i < 2 * stages.settings.attemptsMax; i++) {
          const got = await stages.claim({ capabilities: ['checks'] });
          if (got === undefined) throw new Error('no run');
          const ended = { failureClass: 'sandbox', message: 'm', settings: stages.settings } as const;
          await stages.engine(tx => failRun(tx, { runId: got.run.id, token: got.token }, ended));
        }
        await stages.drain();
      },
    ],
    [
      'a person cancels its run',
      async () => {
        await siteForTests(stages, { unprepared: true });
        const [run] = await stages.sql<{ id: string }>(`select id from runs where subject_type = 'review'`);
        await stages.engine(tx => cancelRun(tx, run?.id ?? ''));
        await stages.drain();
      },
    ],
  ])('is refused where %s, and can be prepared again', async (_, happen) => {
    await happen();
    const [trunk] = await stages.sql<{ id: string; state: string }>('select id, state from trunks');
    expect(trunk?.state).toBe('refused');
    await again(trunk?.id ?? '');
    await stages.drain();
    expect(await stages.sql('select state from trunks')).toEqual([{ state: 'checking' }]);
  });
});

describe('a repository that will not do', () => {
  test.each([
    ['is not there', (repository: string) => rmSync(repository, { recursive: true }), /skep-worker/],
    [
      'has a branch of that name',
      (repository: string) => git(repository, 'branch', 'skep/tickets'),
      /has a branch skep\/tickets already/,
    ],
  ])('since it %s is refused with what to do, and taken once that is mended', async (_, spoil, reason) => {
    const repository = makeRepository({ 'a.txt': 'a\n' });
    await stages.sql('update projects set repository = $1, checks = $2', [repository, '[]']);
    spoil(repository);
    const ticketId = await stages.open();
    await stages.drain();
    const [trunk] = await stages.sql<{ id: string; state: string; reason: string; hint: string }>(
      'select id, state, reason, hint from trunks',
    );
    expect(trunk).toMatchObject({ state: 'refused', reason: expect.stringMatching(reason), hint: expect.stringMatching(/\w/) });
    await stages.sql('update projects set repository = $1', [makeRepository({ 'a.txt': 'a\n' })]);
    await again(trunk?.id ?? '');
    await stages.drain();
    expect(await stages.sql('select state from trunks')).toEqual([{ state: 'ready' }]);
    expect(await stages.statusOf(ticketId)).toBe('ready');
    expect(await queued()).toBe(1);
  });
});
