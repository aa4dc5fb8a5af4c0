import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sha } from '../../../test/harness/merged.ts';
import { type Stages, stagesForTests } from '../../../test/harness/stages.ts';
import { advance, markPublished, reserve } from './merges.ts';
import { branchFor, freeBranch } from './model/trunk.ts';
import {
  baseTrunk,
  checkTrunk,
  findTrunk,
  getTrunk,
  holdTrunk,
  listTrunks,
  openTrunk,
  prepareAgain,
  readyTrunk,
  refuseTrunk,
} from './trunks.ts';

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests();
});
afterEach(() => stages.close());

const base = { commit: sha(1), objectFormat: 'sha1', checks: [], notes: [] } as const;
const owner = () => ({ projectId: stages.projectId, specId: null });
const open = (title = 'Some Work') => stages.engine(tx => openTrunk(tx, { ...owner(), title, redBase: 'refuse' }));
const get = (id: string) => stages.app(tx => getTrunk(tx, id));
const events = async () =>
  (await stages.sql<{ type: string }>(`select type from events where type like 'trunk.%' order by id`)).map(({ type }) => type);

async function opened(): Promise<string> {
  await open();
  const trunk = await stages.app(tx => findTrunk(tx, owner()));
  if (trunk === undefined) throw new Error('no trunk');
  return trunk.id;
}

async function ready(): Promise<string> {
  const id = await opened();
  await stages.engine(tx => baseTrunk(tx, id, base));
  await stages.engine(tx => readyTrunk(tx, id));
  return id;
}

describe('a trunk', () => {
  test('is opened once for the work of a spec, also by 20 at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => open()));
    expect(await stages.app(tx => listTrunks(tx, { projectId: stages.projectId }))).toMatchObject([
      { branch: 'skep/some-work', state: 'preparing' },
    ]);
    expect(await events()).toEqual(['trunk.opened']);
  });

  test('has a branch of its own, also where 10 specs of one name begin at once', async () => {
    const sessions = await Promise.all(
      Array.from({ length: 10 }, () => stages.approved({ name: 'same', features: [{ title: 'a' }] })),
    );
    const specs = await stages.sql<{ id: string }>('select id from specs where session_id = any ($1)', [sessions]);
    const { projectId } = stages;
    await Promise.all(
      specs.map(({ id }) => stages.engine(tx => openTrunk(tx, { projectId, specId: id, title: 'same', redBase: 'refuse' }))),
    );
    const branches = (await stages.app(tx => listTrunks(tx, { projectId }))).map(({ branch }) => branch);
    expect(branches.sort()).toEqual(['skep/same', 'skep/same-10', ...Array.from({ length: 8 }, (_, i) => `skep/same-${i + 2}`)]);
    expect(await events()).toHaveLength(10);
  });

  test('takes a base while it is prepared, and none later', async () => {
    const id = await ready();
    expect(await stages.engine(tx => baseTrunk(tx, id, { ...base, commit: sha(2) }))).toBeUndefined();
    expect(await get(id)).toMatchObject({ state: 'ready', baseSha: sha(1), headSha: sha(1) });
  });

  test('is refused with the reason, and prepared again by a person; never once it is ready', async () => {
    const id = await opened();
    await stages.engine(tx => baseTrunk(tx, id, base));
    await stages.engine(tx => checkTrunk(tx, id));
    await stages.engine(tx => refuseTrunk(tx, id, { reason: 'red', hint: 'mend it' }));
    expect(await get(id)).toMatchObject({ state: 'refused', reason: 'red', hint: 'mend it' });
    const again = await Promise.allSettled(Array.from({ length: 5 }, () => stages.app(tx => prepareAgain(tx, id, 'leave_out'))));
    expect(again.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(await get(id)).toMatchObject({ state: 'preparing', reason: null, hint: null, redBase: 'leave_out' });
    await stages.engine(tx => readyTrunk(tx, id));
    await expect(stages.app(tx => prepareAgain(tx, id, 'refuse'))).rejects.toMatchObject({ code: 'wrong_state' });
    // What was refused changed nothing.
    expect(await get(id)).toMatchObject({ redBase: 'leave_out' });
    expect(await stages.engine(tx => refuseTrunk(tx, id, { reason: 'r', hint: 'h' }))).toBeUndefined();
    expect(await events()).toEqual(['trunk.opened', 'trunk.refused', 'trunk.opened', 'trunk.ready']);
  });

  test('of another tenant does not exist', async () => {
    const id = await opened();
    const tenantId = await stages.makeTenant('other');
    await expect(stages.app(tx => getTrunk(tx, id), tenantId)).rejects.toMatchObject({ code: 'trunk_not_found' });
    await expect(stages.app(tx => prepareAgain(tx, id, undefined), tenantId)).rejects.toMatchObject({ code: 'trunk_not_found' });
    expect(await stages.app(tx => listTrunks(tx, {}), tenantId)).toEqual([]);
  });
});

describe('its head', () => {
  test('moves by compare-and-swap: of 20 at once one does, and the reservation ends', async () => {
    stages.doesParts();
    const id = await ready();
    await stages.engine(tx => reserve(tx, id, id));
    const moved = await Promise.all(
      Array.from({ length: 20 }, (_, i) => stages.engine(tx => advance(tx, id, { from: sha(1), to: sha(100 + i) }))),
    );
    expect(moved.filter(row => row !== undefined)).toHaveLength(1);
    expect(await get(id)).toMatchObject({ mergeCount: 1, mergingId: null });
  });

  test('is held by one transaction at a time', async () => {
    const id = await ready();
    const order: string[] = [];
    const hold = (name: string) =>
      stages.engine(async tx => {
        await holdTrunk(tx, id);
        order.push(`${name} begins`);
        await getTrunk(tx, id);
        order.push(`${name} ends`);
      });
    await Promise.all(['a', 'b', 'c', 'd'].map(hold));
    for (let i = 0; i < order.length; i += 2) expect(order[i + 1]).toBe(order[i]?.replace('begins', 'ends'));
  });

  test('was pushed from where the branch was: what is told late changes nothing', async () => {
    stages.doesParts();
    const id = await ready();
    const publish = (commit: string, from: string | null) => stages.engine(tx => markPublished(tx, id, { commit, from }));
    await stages.engine(tx => advance(tx, id, { from: sha(1), to: sha(2) }));
    await publish(sha(2), null);
    await stages.engine(tx => advance(tx, id, { from: sha(2), to: sha(3) }));
    await publish(sha(3), sha(2));
    await publish(sha(2), null);
    expect(await get(id)).toMatchObject({ publishedSha: sha(3), publishDueAt: null });
    await stages.engine(tx => advance(tx, id, { from: sha(3), to: sha(5) }));
    await publish(sha(4), sha(3));
    // More has landed since: it is due.
    expect((await get(id)).publishDueAt).not.toBeNull();
    expect((await events()).filter(type => type === 'trunk.published')).toHaveLength(3);
  });
});

test('a branch is named by its title in what git and shells take, and is free', () => {
  expect(branchFor('Ünïcode & “quotes”: a/b..c~d')).toBe('skep/unicode-quotes-a-b-c-d');
  expect(branchFor('日本語')).toBe('skep/work');
  expect(branchFor('x'.repeat(500))).toHaveLength(65);
  expect(freeBranch('skep/a', new Set(['skep/a', 'skep/a-2']))).toBe('skep/a-3');
});
