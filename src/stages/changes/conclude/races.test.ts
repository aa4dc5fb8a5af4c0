import { afterEach, beforeEach, expect, test } from 'vitest';
import { buildForTests, type Built } from '../../../../test/harness/merged.ts';
import { type Stages, stagesForTests } from '../../../../test/harness/stages.ts';
import { cancelSession } from '../../sessions/index.ts';
import { cancelSpecOf, listResults } from '../../specs/index.ts';
import { completeTicket } from '../../tickets/index.ts';
import { claimResult, concludeSpec, judgeResult } from './conclude.ts';

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests();
});
afterEach(() => stages.close());

const many = <T>(count: number, each: (index: number) => Promise<T>) =>
  Promise.all(Array.from({ length: count }, (_, i) => each(i)));
const results = ({ specId }: Built) => stages.app(tx => listResults(tx, specId));
const countOf = async (type: string) => (await stages.sql('select from events where type = $1', [type])).length;

test('concluded 20 times at once, a spec has one result and ends once', async () => {
  const build = await buildForTests(stages, { name: 'n', features: [{ title: 'a' }, { title: 'b' }] });
  for (const id of build.ticketIds) await build.merge(id);
  await many(20, () => stages.app(tx => concludeSpec(tx, build.specId)));
  expect(await results(build)).toMatchObject([{ version: 1, state: 'validated', submittedBy: 'skep' }]);
  for (const type of ['result.submitted', 'result.validated', 'spec.completed', 'session.completed'])
    expect([type, await countOf(type)]).toEqual([type, 1]);
});

test('pushed and concluded at once, a spec is never left waiting, 20 rounds', async () => {
  await stages.sql(`update projects set repository = '/somewhere'`);
  for (let round = 0; round < 20; round++) {
    const build = await buildForTests(stages, { name: `n${round}`, features: [{ title: 'a' }] });
    await build.merge(build.ticketIds[0]);
    const conclude = () => stages.app(tx => concludeSpec(tx, build.specId));
    await Promise.all([conclude(), build.publish().then(conclude)]);
    expect([round, await build.states()]).toMatchObject([round, { session: 'completed', spec: 'completed' }]);
  }
});

test('the same said ten times at once is one version; ten different ones are ten, of which the last is open', async () => {
  const build = await buildForTests(stages, { name: 'n', features: [{ title: 'a' }] });
  const same = await many(10, () => stages.app(tx => claimResult(tx, build.specId, 'done')));
  expect(new Set(same.map(result => result.id)).size).toBe(1);
  await many(10, i => stages.app(tx => claimResult(tx, build.specId, `done by ${i}`)));
  const all = await results(build);
  expect(all.map(result => result.version)).toEqual([11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
  expect(all.map(result => result.state)).toEqual(['submitted', ...Array.from({ length: 10 }, () => 'rejected')]);
});

test('validated and rejected at once: one of the two, for all, 20 rounds', async () => {
  for (let round = 0; round < 20; round++) {
    const build = await buildForTests(stages, { name: `n${round}`, features: [{ title: 'a' }, { title: 'b' }] });
    await build.merge(build.ticketIds[0]);
    const { id } = await stages.app(tx => claimResult(tx, build.specId, 'done'));
    const decisions = await Promise.allSettled(
      [true, false, true, false].map(valid => stages.app(tx => judgeResult(tx, id, { valid, reason: 'r' }))),
    );
    expect([round, decisions.map(each => each.status).toSorted()]).toEqual([
      round,
      ['fulfilled', 'fulfilled', 'rejected', 'rejected'],
    ]);
    const [result] = await results(build);
    const wanted = result?.state === 'validated' ? ['completed', 'cancelled'] : ['executing_tasks', 'ready'];
    expect([(await build.states()).spec, await stages.statusOf(build.ticketIds[1] ?? '')]).toEqual(wanted);
  }
});

test('what is left is stopped while it completes: each ticket ends one way and the spec with them, 20 rounds', async () => {
  for (let round = 0; round < 20; round++) {
    const features = Array.from({ length: 6 }, (_, i) => ({ title: `f${i}` }));
    const build = await buildForTests(stages, { name: `n${round}`, features });
    const [first = '', ...rest] = build.ticketIds;
    await build.complete(first);
    await stages.sql(`update tickets set status = 'verifying' where id = any ($1)`, [rest]);
    const { id } = await stages.app(tx => claimResult(tx, build.specId, 'done'));
    await Promise.all([
      stages.app(tx => judgeResult(tx, id, { valid: true, reason: '' })),
      ...rest.map(each => stages.engine(tx => completeTicket(tx, each, 'unproven'))),
    ]);
    // As the job of the epic's event does.
    await stages.app(tx => concludeSpec(tx, build.specId));
    const ends = await Promise.all(build.ticketIds.map(each => stages.statusOf(each)));
    expect([round, ends.filter(end => end !== 'completed' && end !== 'cancelled')]).toEqual([round, []]);
    expect([round, await build.states()]).toMatchObject([round, { session: 'completed', spec: 'completed' }]);
  }
});

test('a session that is cancelled while its spec is concluded ends one way with its spec, 20 rounds', async () => {
  for (let round = 0; round < 20; round++) {
    const build = await buildForTests(stages, { name: `n${round}`, features: [{ title: 'a' }] });
    await build.merge(build.ticketIds[0]);
    await Promise.allSettled([
      stages.app(tx => concludeSpec(tx, build.specId)),
      stages.app(tx => cancelSession(tx, build.sessionId)).then(() => stages.app(tx => cancelSpecOf(tx, build.sessionId))),
    ]);
    const { session, spec } = await build.states();
    expect(['completed completed', 'cancelled cancelled']).toContain(`${session} ${spec}`);
  }
});
