import { describe, expect, test } from 'vitest';
import { createGate } from '../../../test/harness/gate.ts';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { systemClock } from '../../kernel/clock.ts';
import { startBuild } from './build.ts';
import { cancelTicket, editTicket, retryTicket } from './verbs.ts';
import { completeTicket, failTicket } from './work.ts';

let stages: Stages;
useStages(made => (stages = made));

const verify = (ids: readonly string[]) => stages.sql(`update tickets set status = 'verifying' where id = any ($1)`, [ids]);
const complete = (id: string) => stages.engine(tx => completeTicket(tx, id, 'unproven'));

async function readyEvents(id: string): Promise<number> {
  return (await stages.sql(`select from events where type = 'ticket.ready' and subject_id = $1`, [id])).length;
}

describe('two needs that complete at once', () => {
  test.each([
    ['by themselves', false],
    ['under an epic', true],
  ])('%s release what waits for both exactly once, 50 rounds', async (_, underEpic) => {
    let parentId: string | undefined;
    if (underEpic) {
      const sessionId = await stages.approved({ name: 'n', features: [{ title: 'a' }] });
      parentId = (await stages.app(tx => startBuild(tx, sessionId))).epicId;
    }
    for (let round = 0; round < 50; round++) {
      const needs = [await stages.open({ parentId }), await stages.open({ parentId })];
      const waits = await stages.open({ dependsOn: needs, parentId });
      await verify(needs);
      await Promise.all(needs.map(complete));
      expect([round, await stages.statusOf(waits), await readyEvents(waits)]).toEqual([round, 'ready', 1]);
    }
  });
});

describe('a need that completes while somebody begins to wait for it', () => {
  interface Beginning {
    /** What stands before the need completes. */
    readonly prepare: (need: string) => Promise<string>;
    readonly wait: (id: string, need: string) => Promise<string>;
  }
  const edit = async (id: string, need: string) => (await stages.app(tx => editTicket(tx, id, { dependsOn: [need] }))).id;
  const beginnings: Record<string, Beginning> = {
    'a new ticket': { prepare: async () => '', wait: (_, need) => stages.open({ dependsOn: [need] }) },
    'a ready ticket that is edited': { prepare: () => stages.open(), wait: edit },
    'a blocked ticket that is edited': { prepare: async () => stages.open({ dependsOn: [await stages.open()] }), wait: edit },
    'a failed ticket that is retried': {
      async prepare(need) {
        const id = await stages.open();
        await stages.engine(tx => failTicket(tx, id, 'broke'));
        return edit(id, need);
      },
      wait: async id => (await stages.app(tx => retryTicket(tx, id))).id,
    },
  };

  test.each(Object.entries(beginnings))('%s ends ready', async (_, { prepare, wait }) => {
    const need = await stages.open();
    const id = await prepare(need);
    await verify([need]);
    const held = createGate();
    const gate = createGate();
    const completion = stages.engine(async tx => {
      await completeTicket(tx, need, 'unproven');
      held.open();
      await gate.passed;
    });
    await held.passed;
    const waiter = wait(id, need);
    await Promise.race([waiter, untilSomebodyWaits()]);
    gate.open();
    await completion;
    expect(await stages.statusOf(await waiter)).toBe('ready');
  });

  test('or the other way round: the one that begins to wait is first', async () => {
    const need = await stages.open();
    await verify([need]);
    const held = createGate();
    const gate = createGate();
    const id = await stages.open();
    const edit = stages.app(async tx => {
      await editTicket(tx, id, { dependsOn: [need] });
      held.open();
      await gate.passed;
    });
    await held.passed;
    const completion = complete(need);
    await Promise.race([completion, untilSomebodyWaits()]);
    gate.open();
    await Promise.all([edit, completion]);
    expect(await stages.statusOf(id)).toBe('ready');
  });

  test('50 rounds of all at once', async () => {
    for (let round = 0; round < 50; round++) {
      const need = await stages.open();
      const edited = await stages.open();
      await verify([need]);
      const [, opened] = await Promise.all([
        complete(need),
        stages.open({ dependsOn: [need] }),
        stages.app(tx => editTicket(tx, edited, { dependsOn: [need] })),
      ]);
      expect([round, await stages.statusOf(opened), await stages.statusOf(edited)]).toEqual([round, 'ready', 'ready']);
    }
  });
});

describe('a cancelled need', () => {
  test('and a ticket that begins to wait for it at once: never a ticket that waits for ever, 30 rounds', async () => {
    for (let round = 0; round < 30; round++) {
      const need = await stages.open();
      await Promise.allSettled([
        stages.app(tx => cancelTicket(tx, need, { reason: 'r', cascade: false })),
        stages.open({ dependsOn: [need] }),
      ]);
      expect([round, await stages.ownerless()]).toEqual([round, []]);
    }
  });

  test('a cascade and completions under one epic get along, 20 rounds', async () => {
    const sessionId = await stages.approved({ name: 'n', features: [{ title: 'a' }] });
    const { epicId: parentId } = await stages.app(tx => startBuild(tx, sessionId));
    for (let round = 0; round < 20; round++) {
      const first = await stages.open({ parentId });
      const chain = [await stages.open({ parentId, dependsOn: [first] })];
      const apart = [await stages.open({ parentId }), await stages.open({ parentId })];
      await verify([first, ...apart]);
      await Promise.all([
        stages.app(tx => cancelTicket(tx, first, { reason: 'r', cascade: true })).catch(() => 'was completed first'),
        complete(first),
        ...apart.map(complete),
      ]);
      const [one, two] = [await stages.statusOf(first), await stages.statusOf(chain[0] ?? '')];
      expect(['cancelled cancelled', 'completed ready']).toContain(`${one} ${two}`);
    }
  });
});

describe('start-build', () => {
  test('50 at once build one epic and answer the same', async () => {
    const sessionId = await stages.approved({ name: 'n', features: [{ title: 'a' }, { title: 'b', depends_on: ['a'] }] });
    const answers = await Promise.all(Array.from({ length: 50 }, () => stages.app(tx => startBuild(tx, sessionId))));
    expect(new Set(answers.map(answer => JSON.stringify(answer)))).toEqual(
      new Set([JSON.stringify({ epicId: 'TKT-003', ticketCount: 2 })]),
    );
    expect(await stages.sql('select id, type, status from tickets order by number')).toEqual([
      { id: 'TKT-001', type: 'feature', status: 'ready' },
      { id: 'TKT-002', type: 'feature', status: 'blocked' },
      { id: 'TKT-003', type: 'epic', status: 'running' },
    ]);
    expect(await stages.sql(`select from events where type in ('tickets.generated', 'session.building')`)).toHaveLength(2);
  });

  test('two sessions at once take numbers that do not mix', async () => {
    const features = Array.from({ length: 10 }, (_, i) => ({ title: `f${i}` }));
    const sessions = [await stages.approved({ name: 'n', features }), await stages.approved({ name: 'm', features })];
    const built = await Promise.all(sessions.map(id => stages.app(tx => startBuild(tx, id))));
    expect(built.map(build => build.epicId).toSorted()).toEqual(['TKT-011', 'TKT-022']);
    const [row] = await stages.sql<{ count: number }>('select count(distinct number)::int as count from tickets');
    expect(row?.count).toBe(22);
  });

  test('2,000 features in a chain become 2,001 tickets', async () => {
    const features = Array.from({ length: 2_000 }, (_, i) => ({ title: `f${i}`, depends_on: i === 0 ? [] : [`f${i - 1}`] }));
    const sessionId = await stages.approved({ name: 'n', features });
    expect(await stages.app(tx => startBuild(tx, sessionId))).toEqual({ epicId: 'TKT-2001', ticketCount: 2_000 });
    const rows = await stages.sql<{ status: string; count: number; longest: number }>(
      'select status, count(*)::int as count, max(chain) as longest from tickets group by 1 order by 1',
    );
    expect(rows).toEqual([
      { status: 'blocked', count: 1_999, longest: 1_998 },
      { status: 'ready', count: 1, longest: 1_999 },
      { status: 'running', count: 1, longest: 0 },
    ]);
    await stages.drain();
  });
});

/** Resolves when a statement waits for a lock in this database. */
async function untilSomebodyWaits(): Promise<void> {
  for (;;) {
    const waiting = await stages.sql(
      `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()`,
    );
    if (waiting.length > 0) return;
    await systemClock.sleep(5);
  }
}
