import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { conclusionsOn, done, open } from '../../../../test/harness/conclusions.ts';
import { type Stages, stagesForTests } from '../../../../test/harness/stages.ts';
import { cancelSession } from '../../sessions/index.ts';
import { cancelSpecOf, editSpec } from '../../specs/index.ts';
import { failTicket } from '../../tickets/work.ts';

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests();
  await stages.sql(`update projects set repository = '/somewhere'`);
});
afterEach(() => stages.close());

const { built, conclude, results, claim, validate, reject, cancel, told } = conclusionsOn(() => stages);

const statuses = async () =>
  Object.fromEntries(
    (await stages.sql<{ id: string; status: string }>('select id, status from tickets')).map(t => [t.id, t.status]),
  );

describe('a result that a person hands in', () => {
  test('has the evidence as it stands, and gives way to the next version', async () => {
    const build = await built();
    const [a, b] = build.ticketIds;
    const head = await build.merge(a);
    const first = await claim(build);
    expect(first).toMatchObject({ version: 1, proof: 'proven', evidence: { head_sha: head } });
    expect(first.evidence.tickets).toMatchObject([
      { ticket_id: a, proof: 'proven', merge_sha: head },
      { ticket_id: b, proof: null, merge_sha: null, review_id: null, checks: [] },
    ]);
    expect((await claim(build)).id).toBe(first.id);
    const other = await claim(build, 'said better');
    expect((await results(build)).map(({ id, state, reason }) => [id, state, reason])).toEqual([
      [other.id, 'submitted', null],
      [first.id, 'rejected', 'version 2 was handed in instead'],
    ]);
    await expect(validate(first.id)).rejects.toMatchObject({ code: 'wrong_state', facts: { currentState: 'rejected' } });
  });

  test('stands for the finished work where it is the same: Skep validates it and adds none', async () => {
    const build = await built();
    for (const id of build.ticketIds) await build.merge(id);
    await claim(build);
    await build.publish();
    await conclude(build);
    expect([await build.states(), await results(build)]).toMatchObject([done, [{ submittedBy: 'test', state: 'validated' }]]);
  });

  test('with stop_all, once it is validated, ends what is left of the spec and with it the spec', async () => {
    const build = await built([{ title: 'a' }, { title: 'b' }, { title: 'c' }]);
    const [a, b, c] = build.ticketIds;
    const waits = await stages.open({ dependsOn: [c ?? ''] });
    const apart = await stages.open();
    await build.merge(a);
    await stages.engine(tx => failTicket(tx, b ?? '', 'broke'));
    const { id } = await claim(build);
    expect(await validate(id)).toMatchObject({ state: 'validated' });
    expect(await statuses()).toEqual({
      [String(a)]: 'completed',
      [String(b)]: 'cancelled',
      [String(c)]: 'cancelled',
      [build.epicId]: 'completed',
      [waits]: 'cancelled',
      [apart]: 'ready',
    });
    const [reason] = await stages.sql<{ reason: string }>('select status_reason as reason from tickets where id = $1', [c]);
    expect(reason?.reason).toBe('a result was found');
    expect([await build.states(), (await results(build)).length]).toEqual([done, 1]);
  });

  test('with do_nothing leaves them alone; the spec ends with them, and what they add is told in another version', async () => {
    const build = await built();
    const [a, b] = build.ticketIds;
    await stages.app(tx => editSpec(tx, build.specId, { onResultFound: 'do_nothing' }));
    await build.merge(a);
    await validate((await claim(build)).id);
    expect([await build.states(), await stages.statusOf(b ?? '')]).toEqual([open, 'ready']);
    await build.merge(b);
    await conclude(build);
    expect([await build.states(), await results(build)]).toMatchObject([
      open,
      [{ version: 2, state: 'submitted' }, { version: 1 }],
    ]);
    await build.publish();
    await conclude(build);
    expect(await build.states()).toEqual(done);
  });

  test('with do_nothing and nothing added is enough', async () => {
    const build = await built();
    const [a, b] = build.ticketIds;
    await stages.app(tx => editSpec(tx, build.specId, { onResultFound: 'do_nothing' }));
    await build.merge(a);
    await validate((await claim(build)).id);
    await cancel(b);
    await conclude(build);
    expect([await build.states(), await results(build)]).toMatchObject([done, [{ version: 1, state: 'validated' }]]);
  });

  test('does not stand for a ticket that was completed after it, even where no commit tells', async () => {
    await stages.sql('update projects set repository = null');
    const build = await built();
    await stages.app(tx => editSpec(tx, build.specId, { onResultFound: 'do_nothing' }));
    await build.complete(build.ticketIds[0]);
    await validate((await claim(build)).id);
    await build.complete(build.ticketIds[1]);
    await conclude(build);
    expect((await results(build)).map(({ version, submittedBy }) => [version, submittedBy])).toEqual([
      [2, 'skep'],
      [1, 'test'],
    ]);
    expect(await build.states()).toEqual(done);
  });
});

describe('a decision', () => {
  test('said again answers the same and tells nothing; the opposite is refused', async () => {
    const build = await built();
    await build.merge(build.ticketIds[0]);
    const { id } = await claim(build);
    const rejected = await reject(id);
    expect(await reject(id, 'another reason')).toEqual(rejected);
    await expect(validate(id)).rejects.toMatchObject({ code: 'wrong_state', facts: { currentState: 'rejected' } });
    expect(await told()).toEqual(['result.submitted', 'result.rejected']);
    expect(await stages.statusOf(build.ticketIds[1] ?? '')).toBe('ready');

    const next = await claim(build, 'again');
    await validate(next.id);
    const validated = await validate(next.id);
    expect(validated).toMatchObject({ state: 'validated' });
    await expect(reject(next.id)).rejects.toMatchObject({ code: 'wrong_state', facts: { currentState: 'validated' } });
  });

  test('of a spec of which nothing is completed cannot be that it is done', async () => {
    const build = await built();
    const { id } = await claim(build);
    await expect(validate(id)).rejects.toMatchObject({ code: 'wrong_state', message: expect.stringContaining('No ticket') });
    expect([await statuses(), await build.states()]).toMatchObject([{ [String(build.ticketIds[0])]: 'ready' }, open]);
  });

  test('of a spec that has failed is refused', async () => {
    const build = await built();
    await build.merge(build.ticketIds[0]);
    const { id } = await claim(build);
    await stages.sql(`update specs set status = 'failed'`);
    for (const decide of [validate, reject])
      await expect(decide(id)).rejects.toMatchObject({ code: 'wrong_state', facts: { currentStatus: 'failed' } });
    expect([await results(build), await stages.statusOf(build.ticketIds[1] ?? '')]).toMatchObject([
      [{ state: 'submitted' }],
      'ready',
    ]);
    await stages.sql(`update specs set status = 'executing_tasks'`);
  });

  test('cannot be made, nor a result be handed in, where the spec is over', async () => {
    const build = await built();
    await build.merge(build.ticketIds[0]);
    const { id } = await claim(build);
    await stages.app(tx => cancelSession(tx, build.sessionId));
    await stages.app(tx => cancelSpecOf(tx, build.sessionId));
    expect(await results(build)).toMatchObject([{ state: 'rejected', reason: 'the session was cancelled' }]);
    await expect(validate(id)).rejects.toMatchObject({ code: 'wrong_state' });
    await expect(claim(build)).rejects.toMatchObject({ code: 'wrong_state', facts: { currentStatus: 'cancelled' } });
    const edit = stages.app(tx => editSpec(tx, build.specId, { onResultFound: 'do_nothing' }));
    await expect(edit).rejects.toMatchObject({ code: 'wrong_state', facts: { currentStatus: 'cancelled' } });
    expect(await stages.statusOf(build.ticketIds[1] ?? '')).toBe('ready');
  });
});
