import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildForTests, type Built, handedIn, sha } from '../../../../test/harness/merged.ts';
import { type Stages, stagesForTests } from '../../../../test/harness/stages.ts';
import { cancelSession } from '../../sessions/index.ts';
import { cancelSpecOf, editSpec, listResults } from '../../specs/index.ts';
import { cancelTicket } from '../../tickets/index.ts';
import { failTicket } from '../../tickets/work.ts';
import { claimResult, concludeEpic, concludeSpec, concludeTrunk, judgeResult } from './conclude.ts';

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests();
  await stages.sql(`update projects set repository = '/somewhere'`);
});
afterEach(() => stages.close());

const card = {
  name: 'thing',
  technical_requirements: ['no new dependency', 'fast'],
  features: [
    { title: 'a', acceptance_criteria: ['it works', 'fast'] },
    { title: 'b', acceptance_criteria: ['it is told'] },
  ],
};
const built = (features: { title: string; acceptance_criteria?: string[] }[] = card.features) =>
  buildForTests(stages, { ...card, features });

const conclude = ({ specId }: Built) => stages.app(tx => concludeSpec(tx, specId));
const results = ({ specId }: Built) => stages.app(tx => listResults(tx, specId));
const claim = ({ specId }: Built, summary = 'done') => stages.app(tx => claimResult(tx, specId, summary));
const validate = (id: string | undefined) => stages.app(tx => judgeResult(tx, id ?? '', { valid: true, reason: '' }));
const reject = (id: string | undefined, reason = 'not what was meant') =>
  stages.app(tx => judgeResult(tx, id ?? '', { valid: false, reason }));
const cancel = (id: string | undefined) => stages.app(tx => cancelTicket(tx, id ?? '', { reason: 'no need', cascade: true }));

const open = { session: 'building', spec: 'executing_tasks', phase: 'EXECUTE' };
const done = { session: 'completed', spec: 'completed', phase: 'COMPLETE' };

/** What happened to results, specs and sessions since the build began. */
async function told(): Promise<string[]> {
  const rows = await stages.sql<{ type: string }>(
    `select type from events where type like 'result.%' or type in ('spec.completed', 'session.completed', 'session.cancelled') order by id`,
  );
  return rows.map(row => row.type);
}

const statuses = async () =>
  Object.fromEntries(
    (await stages.sql<{ id: string; status: string }>('select id, status from tickets')).map(t => [t.id, t.status]),
  );

describe('a spec whose work is merged, reviewed and pushed', () => {
  test('gets its result from Skep, which validates it: spec and session are completed', async () => {
    const build = await built();
    const [a, b] = build.ticketIds;
    const first = await build.merge(a);
    const second = await build.merge(b);
    await build.publish();
    await stages.app(tx => concludeEpic(tx, build.epicId));
    expect(await build.states()).toEqual(done);
    expect(await told()).toEqual(['result.submitted', 'result.validated', 'spec.completed', 'session.completed']);

    const [result, ...others] = await results(build);
    expect(others).toEqual([]);
    expect(result).toMatchObject({
      version: 1,
      state: 'validated',
      proof: 'proven',
      submittedBy: 'skep',
      summary: '2 of 2 tickets completed on skep/thing',
      criteria: ['no new dependency', 'fast', 'it works', 'it is told'],
      reason: null,
      decidedAt: expect.any(Date),
    });
    const check = { name: 'test', outcome: 'exited', exit_code: 0, duration_ms: 12, tests: null, flaky: false };
    const ticket = { proof: 'proven', review_id: expect.any(String), checks: [check] };
    expect(result?.evidence).toEqual({
      branch: 'skep/thing',
      base_sha: build.base,
      head_sha: second,
      tickets: [
        { ...ticket, ticket_id: a, title: 'a', criteria: ['it works', 'fast'], merge_sha: first },
        { ...ticket, ticket_id: b, title: 'b', criteria: ['it is told'], merge_sha: second },
      ],
    });
  });

  test('is concluded once, however often it is said', async () => {
    const build = await built();
    for (const id of build.ticketIds) await build.merge(id);
    await build.publish();
    await conclude(build);
    await conclude(build);
    await stages.app(tx => concludeTrunk(tx, build.trunkId));
    expect(await told()).toEqual(['result.submitted', 'result.validated', 'spec.completed', 'session.completed']);
  });

  test('is unproven where one of its tickets is, and says which; what was cancelled is told and not claimed', async () => {
    const build = await built([{ title: 'a' }, { title: 'b' }, { title: 'c' }]);
    const [a, b, c] = build.ticketIds;
    await build.merge(a);
    await build.merge(b, { proof: 'unproven', reviewState: 'needs_work' });
    await cancel(c);
    await build.publish();
    await conclude(build);
    const [result] = await results(build);
    expect(result).toMatchObject({
      state: 'validated',
      proof: 'unproven',
      summary: `2 of 3 tickets completed on skep/thing; unproven: ${b}; cancelled: ${c}`,
    });
    expect(result?.evidence.tickets.map(ticket => ticket.ticket_id)).toEqual([a, b]);
    expect(await build.states()).toEqual(done);
  });
});

describe('a spec that is not done', () => {
  test.each<[string, (build: Built) => Promise<unknown>]>([
    ['while a ticket is open', build => build.merge(build.ticketIds[0])],
    [
      'while a ticket is failed',
      async build => {
        await build.merge(build.ticketIds[0]);
        await stages.engine(tx => failTicket(tx, build.ticketIds[1] ?? '', 'broke'));
      },
    ],
  ])('gets no result %s', async (_, work) => {
    const build = await built();
    await work(build);
    await build.publish();
    await conclude(build);
    expect([await build.states(), await told()]).toEqual([open, []]);
  });

  test('gets none where nothing of it was done: the session is over instead', async () => {
    const build = await built();
    for (const id of build.ticketIds) await cancel(id);
    await conclude(build);
    expect(await told()).toEqual(['session.cancelled']);
  });

  test('gets none where its session was cancelled a moment ago', async () => {
    const build = await built();
    for (const id of build.ticketIds) await build.merge(id);
    await build.publish();
    await stages.app(tx => cancelSession(tx, build.sessionId));
    await conclude(build);
    expect(await told()).toEqual(['session.cancelled']);
  });

  test('and a ticket or a trunk of no spec has nothing to conclude', async () => {
    const alone = await stages.open();
    await stages.app(tx => concludeEpic(tx, alone));
    const [trunk] = await stages.sql<{ id: string }>(
      `insert into trunks (tenant_id, project_id, branch, red_base) values ($1, $2, 'skep/tickets', 'refuse') returning id`,
      [stages.tenantId, stages.projectId],
    );
    await stages.app(tx => concludeTrunk(tx, trunk?.id ?? ''));
    expect(await told()).toEqual([]);
  });
});

describe('what Skep does not validate by itself stays submitted, and says why', () => {
  test('it waits until the trunk is pushed', async () => {
    const build = await built();
    for (const id of build.ticketIds) await build.merge(id);
    await conclude(build);
    const waiting = {
      version: 1,
      state: 'submitted',
      reason: 'waits until skep/thing is pushed to the repository',
      decidedAt: null,
    };
    expect(await results(build)).toMatchObject([waiting]);
    await stages.sql('update trunks set published_sha = base_sha');
    await stages.app(tx => concludeTrunk(tx, build.trunkId));
    expect([await build.states(), await results(build)]).toMatchObject([open, [waiting]]);
    await build.publish();
    await stages.app(tx => concludeTrunk(tx, build.trunkId));
    expect([await build.states(), await results(build)]).toMatchObject([
      done,
      [{ version: 1, state: 'validated', reason: null }],
    ]);
  });

  test.each<[string, (build: Built) => Promise<unknown>]>([
    ['the work of TKT-002 is not merged', build => build.complete(build.ticketIds[1])],
    ['no review passed what was merged of TKT-002', build => build.merge(build.ticketIds[1], { reviewState: 'needs_work' })],
    ['no review passed what was merged of TKT-002', build => build.merge(build.ticketIds[1], { reviewed: sha(999) })],
    [
      'skep/thing is not at the last merge, of TKT-002',
      async build => {
        await build.merge(build.ticketIds[1]);
        await stages.sql('update trunks set head_sha = $1', [sha(999)]);
      },
    ],
  ])('%s', async (reason, second) => {
    const build = await built();
    await build.merge(build.ticketIds[0]);
    await second(build);
    await build.publish();
    await conclude(build);
    await conclude(build);
    expect([await build.states(), await results(build)]).toMatchObject([
      open,
      [{ version: 1, state: 'submitted', reason: `${reason}; a person decides` }],
    ]);
    // Whose word then is enough.
    await validate((await results(build))[0]?.id);
    expect(await build.states()).toEqual(done);
  });

  test('without a repository nothing need be handed in nor pushed; but what was handed in must be merged', async () => {
    await stages.sql('update projects set repository = null');
    const elsewhere = await built([{ title: 'a' }]);
    await elsewhere.complete(elsewhere.ticketIds[0]);
    await conclude(elsewhere);
    expect([await elsewhere.states(), await results(elsewhere)]).toMatchObject([
      done,
      [{ state: 'validated', proof: 'unproven' }],
    ]);

    const here = await buildForTests(stages, { name: 'other', features: [{ title: 'a' }] });
    await handedIn(stages, here.ticketIds[0] ?? '');
    await here.complete(here.ticketIds[0]);
    await conclude(here);
    expect([await here.states(), await results(here)]).toMatchObject([
      open,
      [{ state: 'submitted', reason: `the work of ${here.ticketIds[0]} is not merged; a person decides` }],
    ]);
  });
});

describe('a rejected result', () => {
  test('leaves the spec open; Skep does not say the same again, a person may, with the next version', async () => {
    const build = await built();
    for (const id of build.ticketIds) await build.merge(id);
    await conclude(build);
    const [first] = await results(build);
    expect(await reject(first?.id)).toMatchObject({ state: 'rejected', reason: 'not what was meant' });
    await build.publish();
    await stages.app(tx => concludeTrunk(tx, build.trunkId));
    expect([await build.states(), await told()]).toEqual([open, ['result.submitted', 'result.rejected']]);

    const second = await claim(build, 'it is what was meant');
    expect(second).toMatchObject({ version: 2, state: 'submitted', submittedBy: 'test', summary: 'it is what was meant' });
    await validate(second.id);
    expect(await build.states()).toEqual(done);
    expect((await results(build)).map(({ version, state }) => [version, state])).toEqual([
      [2, 'validated'],
      [1, 'rejected'],
    ]);
  });

  test('is followed by another of Skep when there is other work to show', async () => {
    const build = await built();
    const [a, b] = build.ticketIds;
    await build.merge(a);
    await reject((await claim(build)).id);
    await build.merge(b);
    await build.publish();
    await conclude(build);
    expect((await results(build)).map(({ version, state, submittedBy }) => [version, state, submittedBy])).toEqual([
      [2, 'validated', 'skep'],
      [1, 'rejected', 'test'],
    ]);
    expect(await build.states()).toEqual(done);
  });
});

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
