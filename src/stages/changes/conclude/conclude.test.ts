import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { buildForTests, type Built, handedIn, sha } from '../../../../test/harness/merged.ts';
import { conclusionsOn, done, open } from '../../../../test/harness/conclusions.ts';
import { type Stages, stagesForTests } from '../../../../test/harness/stages.ts';
import { cancelSession } from '../../sessions/index.ts';
import { failTicket } from '../../tickets/work.ts';
import { concludeEpic, concludeTrunk } from './conclude.ts';

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests();
  await stages.sql(`update projects set repository = '/somewhere'`);
});
afterEach(() => stages.close());

const { built, conclude, results, claim, validate, reject, cancel, told } = conclusionsOn(() => stages);

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
    await stages.sql('delete from trunks');
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
