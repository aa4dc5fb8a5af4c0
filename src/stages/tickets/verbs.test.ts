import { describe, expect, test } from 'vitest';
import { newTicket, type Stages, useStages } from '../../../test/harness/stages.ts';
import { cancelSession, getSession } from '../sessions/index.ts';
import { startBuild } from './build.ts';
import { cancelTicket, editTicket, getTicket, openTicket, retryTicket } from './verbs.ts';
import { completeTicket, failTicket } from './work.ts';

let stages: Stages;
useStages(made => (stages = made));

const setStatus = (id: string, status: string) =>
  stages.sql('update tickets set status = $2 where tenant_id = $3 and id = $1', [id, status, stages.tenantId]);

/** As the runs stage leaves it: handed in and accepted. */
async function complete(id: string): Promise<void> {
  await setStatus(id, 'verifying');
  await stages.engine(tx => completeTicket(tx, id, 'unproven'));
}

const announced = async (type: string) =>
  (
    await stages.sql<{ id: string }>('select subject_id as id from events where type = $1 and tenant_id = $2 order by id', [
      type,
      stages.tenantId,
    ])
  ).map(row => row.id);

describe('openTicket', () => {
  test('is ready without needs and after completed ones, blocked by any other', async () => {
    const first = await stages.open();
    const second = await stages.open({ dependsOn: [first, first] });
    expect([await stages.statusOf(first), await stages.statusOf(second)]).toEqual(['ready', 'blocked']);
    await complete(first);
    const third = await stages.open({ dependsOn: [first] });
    expect([await stages.statusOf(second), await stages.statusOf(third)]).toEqual(['ready', 'ready']);
    expect(await announced('ticket.ready')).toEqual([first, second, third]);
    expect((await stages.app(tx => getTicket(tx, second))).dependsOn).toEqual([first]);
  });

  test.each([
    ['an unknown need', 'unknown_dependency', { dependsOn: ['TKT-999'] }],
    ['a cancelled need', 'unknown_dependency', { dependsOn: ['TKT-001'] }],
    ['an unknown project', 'project_not_found', { projectId: '00000000-0000-4000-8000-000000000000' }],
    ['an unknown parent', 'ticket_not_found', { parentId: 'TKT-999' }],
    ['a parent that is no epic', 'invalid_request', { parentId: 'TKT-001' }],
  ])('refuses %s and keeps nothing of it, the number included', async (_, code, wrong) => {
    const first = await stages.open();
    await stages.app(tx => cancelTicket(tx, first, { reason: 'r', cascade: false }));
    await expect(stages.open(wrong)).rejects.toMatchObject({ code });
    expect(await stages.open()).toBe('TKT-002');
  });

  test('numbers go up by one in each tenant for itself, 20 at once', async () => {
    const other = await stages.makeTenant('other');
    const [project] = await stages.sql<{ id: string }>(`insert into projects (tenant_id, name) values ($1, 'q') returning id`, [
      other,
    ]);
    const theirs = { ...newTicket(project?.id ?? ''), title: 'theirs' };
    const [ids, others] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, () => stages.open())),
      Promise.all(Array.from({ length: 20 }, () => stages.app(tx => openTicket(tx, theirs), other))),
    ]);
    const numbers = Array.from({ length: 20 }, (_, i) => `TKT-${String(i + 1).padStart(3, '0')}`);
    expect(ids.toSorted()).toEqual(numbers);
    expect(others.map(ticket => ticket.id).toSorted()).toEqual(numbers);
  });

  test('tenants do not see each other: a need or a project of another does not exist', async () => {
    const other = await stages.makeTenant('other');
    await stages.open();
    const mine = newTicket(stages.projectId);
    await expect(stages.app(tx => openTicket(tx, mine), other)).rejects.toMatchObject({ code: 'project_not_found' });
  });
});

describe('editTicket', () => {
  test('refuses a cycle with its path and changes nothing', async () => {
    const [one, two] = [await stages.open(), await stages.open()];
    const edit = (id: string, dependsOn: string[]) => stages.app(tx => editTicket(tx, id, { dependsOn, title: 'new' }));
    await edit(two, [one]);
    const three = await stages.open({ dependsOn: [two] });
    const refused = await edit(one, [three]).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'dependency_cycle', facts: { cycle: [one, three, two, one] } });
    await expect(edit(one, [one])).rejects.toMatchObject({ code: 'dependency_cycle', facts: { cycle: [one, one] } });
    expect(await stages.app(tx => getTicket(tx, one))).toMatchObject({ dependsOn: [], title: 't', status: 'ready' });
  });

  test('two edits that close a cycle together: one is refused, 10 rounds', async () => {
    for (let round = 0; round < 10; round++) {
      const [one, two] = [await stages.open(), await stages.open()];
      const edits = await Promise.allSettled([
        stages.app(tx => editTicket(tx, one, { dependsOn: [two] })),
        stages.app(tx => editTicket(tx, two, { dependsOn: [one] })),
      ]);
      expect(edits.map(edit => edit.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    }
  });

  test('two edits that close a cycle between them and touch no common ticket: one is refused, 10 rounds', async () => {
    for (let round = 0; round < 10; round++) {
      const [one, three] = [await stages.open(), await stages.open()];
      const [two, four] = [await stages.open({ dependsOn: [one] }), await stages.open({ dependsOn: [three] })];
      const edits = await Promise.allSettled([
        stages.app(tx => editTicket(tx, one, { dependsOn: [four] })),
        stages.app(tx => editTicket(tx, three, { dependsOn: [two] })),
      ]);
      expect(edits.map(edit => edit.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    }
  });

  test('new needs block a ready ticket and end its run; their removal makes it ready again', async () => {
    const [one, two] = [await stages.open(), await stages.open()];
    await stages.drain();
    const edit = (dependsOn: string[]) => stages.app(tx => editTicket(tx, two, { dependsOn }));
    expect((await edit([one])).status).toBe('blocked');
    await stages.drain();
    expect(await stages.claim({ ticketId: two })).toBeUndefined();
    expect((await edit([])).status).toBe('ready');
    await stages.drain();
    expect((await stages.claim({ ticketId: two }))?.run.attempt).toBe(2);
  });

  test('chains are told anew, and a ticket that an agent works on stays as it is', async () => {
    const [one, two, three] = [await stages.open(), await stages.open(), await stages.open()];
    await stages.app(tx => editTicket(tx, two, { dependsOn: [one] }));
    await stages.app(tx => editTicket(tx, three, { dependsOn: [two] }));
    const chains = await stages.sql<{ chain: number }>('select chain from tickets order by number');
    expect(chains.map(row => row.chain)).toEqual([2, 1, 0]);
    await stages.drain();
    await stages.claim({ ticketId: one });
    await expect(stages.app(tx => editTicket(tx, one, { title: 'x' }))).rejects.toMatchObject({
      code: 'wrong_state',
      facts: { currentStatus: 'claimed' },
    });
  });

  test('a new priority reaches the run that waits in the queue', async () => {
    const [one, two] = [await stages.open(), await stages.open()];
    await stages.drain();
    await stages.app(tx => editTicket(tx, two, { priority: 5 }));
    await stages.drain();
    expect([(await stages.claim())?.run.subjectId, (await stages.claim())?.run.subjectId]).toEqual([two, one]);
  });
});

describe('cancelTicket', () => {
  const cancel = (id: string, cascade: boolean) => stages.app(tx => cancelTicket(tx, id, { reason: 'no need', cascade }));

  test('alone is refused while others wait for it, with their ids; with cascade it takes them along', async () => {
    const one = await stages.open();
    const two = await stages.open({ dependsOn: [one] });
    const three = await stages.open({ dependsOn: [two] });
    const apart = await stages.open();
    await expect(cancel(one, false)).rejects.toMatchObject({ code: 'wrong_state', facts: { dependants: [two, three] } });
    expect((await cancel(one, true)).map(({ id, status, statusReason }) => [id, status, statusReason])).toEqual(
      [one, two, three].map(id => [id, 'cancelled', 'no need']),
    );
    expect(await announced('ticket.cancelled')).toEqual([one, two, three]);
    expect(await stages.statusOf(apart)).toBe('ready');
  });

  test('ends the run; the holder learns it from its next write', async () => {
    const { run } = await stages.claimNew();
    await cancel(run.subjectId, false);
    await stages.drain();
    const [row] = await stages.sql<{ state: string }>('select state from runs where id = $1', [run.id]);
    expect(row?.state).toBe('cancelled');
  });

  test.each(['completed', 'cancelled'])('a ticket that is %s is not cancelled again, nor what needed it', async status => {
    const one = await stages.open();
    if (status === 'completed') await complete(one);
    else await cancel(one, false);
    const two = status === 'completed' ? await stages.open({ dependsOn: [one] }) : await stages.open();
    await expect(cancel(one, true)).rejects.toMatchObject({ code: 'wrong_state', facts: { currentStatus: status } });
    expect(await stages.statusOf(two)).toBe('ready');
  });

  test('a session takes its tickets along, its spec, and what waits for them by hand', async () => {
    const sessionId = await stages.approved({ name: 'n', features: [{ title: 'a' }, { title: 'b', depends_on: ['a'] }] });
    const { epicId } = await stages.app(tx => startBuild(tx, sessionId));
    const byHand = await stages.open({ dependsOn: ['TKT-001'] });
    const afterIt = await stages.open({ dependsOn: [byHand] });
    const apart = await stages.open();
    await stages.drain();
    await stages.app(tx => cancelSession(tx, sessionId));
    await stages.drain();
    const rows = await stages.sql<{ id: string; status: string }>('select id, status from tickets order by number');
    expect(Object.fromEntries(rows.map(row => [row.id, row.status]))).toEqual({
      'TKT-001': 'cancelled',
      'TKT-002': 'cancelled',
      [epicId]: 'cancelled',
      [byHand]: 'cancelled',
      [afterIt]: 'cancelled',
      [apart]: 'ready',
    });
    expect(await stages.sql('select status from specs')).toEqual([{ status: 'cancelled' }]);
    expect(await stages.sql(`select subject_id as id from runs where state = 'queued'`)).toEqual([{ id: apart }]);
  });
});

describe('retryTicket', () => {
  const retry = (id: string) => stages.app(tx => retryTicket(tx, id));

  test('gives a failed ticket new attempts, and blocks it where its needs are not done', async () => {
    const need = await stages.open();
    const id = await stages.open();
    await stages.engine(tx => failTicket(tx, id, 'broke'));
    await stages.sql('update tickets set attempts = 3');
    await stages.app(tx => editTicket(tx, id, { dependsOn: [need] }));
    expect(await retry(id)).toMatchObject({ status: 'blocked', attempts: 0, statusReason: null });
    await complete(need);
    expect(await stages.statusOf(id)).toBe('ready');
    await stages.drain();
  });

  test('is for failed tickets only', async () => {
    await expect(retry(await stages.open())).rejects.toMatchObject({ code: 'wrong_state' });
    await expect(retry('TKT-999')).rejects.toMatchObject({ code: 'ticket_not_found' });
  });
});

describe('an epic', () => {
  const features = [{ title: 'a' }, { title: 'b' }, { title: 'c', depends_on: ['a'] }];

  test('follows its tickets: running, failed, running, completed', async () => {
    const { epicId } = await stages.app(async tx => startBuild(tx, await stages.approved({ name: 'n', features })));
    const status = () => stages.statusOf(epicId);
    await stages.engine(tx => failTicket(tx, 'TKT-002', 'broke'));
    expect(await status()).toBe('running');
    // What waited for it is ready again, so the failure is not all that is left to look at.
    await complete('TKT-001');
    expect([await stages.statusOf('TKT-003'), await status()]).toEqual(['ready', 'running']);
    await complete('TKT-003');
    expect(await status()).toBe('failed');
    const added = await stages.open({ parentId: epicId });
    expect(await status()).toBe('running');
    await complete(added);
    expect(await status()).toBe('failed');
    await stages.app(tx => retryTicket(tx, 'TKT-002'));
    expect(await status()).toBe('running');
    expect(await announced('ticket.failed')).toEqual(['TKT-002']);
    expect(await announced('epic.failed')).toEqual([epicId, epicId]);
  });

  test('follows what another epic releases in it', async () => {
    const mine = await stages.app(async tx => startBuild(tx, await stages.approved({ name: 'n', features: [{ title: 'a' }] })));
    const theirs = await stages.app(async tx => startBuild(tx, await stages.approved({ name: 'm', features: [{ title: 'b' }] })));
    const waits = await stages.open({ parentId: mine.epicId, dependsOn: ['TKT-003'] });
    await stages.engine(tx => failTicket(tx, 'TKT-001', 'broke'));
    expect(await stages.statusOf(mine.epicId)).toBe('failed');
    // So that the other session still has something to wait for at the end.
    await stages.open({ parentId: theirs.epicId });
    await complete('TKT-003');
    expect([await stages.statusOf(waits), await stages.statusOf(mine.epicId)]).toEqual(['ready', 'running']);
  });

  test('a ticket cannot be hung on one that is over', async () => {
    const sessionId = await stages.approved({ name: 'n', features: [{ title: 'a' }] });
    const { epicId } = await stages.app(tx => startBuild(tx, sessionId));
    await stages.app(tx => cancelTicket(tx, 'TKT-001', { reason: 'r', cascade: false }));
    expect(await stages.statusOf(epicId)).toBe('cancelled');
    await expect(stages.open({ parentId: epicId })).rejects.toMatchObject({ code: 'wrong_state' });
    // Nothing is left to build: session and spec are over too.
    await stages.drain();
    expect((await stages.app(tx => getSession(tx, sessionId))).state).toBe('cancelled');
    expect(await stages.sql('select status from specs')).toEqual([{ status: 'cancelled' }]);
  });
});
