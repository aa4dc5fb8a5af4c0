import pg from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { newTicket, type Stages, useStages } from '../../../../test/harness/stages.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { easeBrake, liftBrake, pullBrake } from '../../../support/fleet/index.ts';
import { type LimitScope, removeLimit, setLimit } from '../../../support/fleet/limits.ts';
import { createProject, editProject } from '../../../support/projects/verbs.ts';
import { editTicket, openTicket } from '../../tickets/index.ts';
import type { NewTicket } from '../../tickets/verbs.ts';
import type { RunRow } from '../runs.sql.ts';
import { failRun, submitRun } from '../verbs.ts';
import type { ClaimedRun } from './claim.ts';

let stages: Stages;
useStages(made => (stages = made));

const capabilities = ['agent:exec', 'agent:codex'];
const claim = (worker = 'w', more: readonly string[] = []) => stages.claim({ worker, capabilities: [...capabilities, ...more] });
const holder = ({ run, token }: ClaimedRun) => ({ runId: run.id, token });
/** Ends it for good: nothing of it is tried again. */
const end = (claimed: ClaimedRun) =>
  stages.engine(tx => failRun(tx, holder(claimed), { failureClass: 'agent_missing', message: 'm', settings: stages.settings }));
const open = async (...wanted: readonly Partial<NewTicket>[]) => {
  const ids = await stages.app(async tx => {
    const made: string[] = [];
    // Made in one moment, they are in this order by their priority.
    for (const [i, each] of wanted.entries()) {
      made.push((await openTicket(tx, { ...newTicket(stages.projectId), priority: -i, ...each })).id);
    }
    return made;
  });
  await stages.drain();
  return ids;
};
const anotherProject = async (name: string, kind: 'exec' | 'codex' = 'exec') => {
  const agent = kind === 'exec' ? { kind, command: ['true'] } : { kind, model: 'm' };
  return (await stages.app(tx => createProject(tx, { name, agent }))).id;
};
const limit = (scope: LimitScope['scope'], scopeId: string, runsMax: number) =>
  stages.app(tx => setLimit(tx, { scope, scopeId, runsMax }));
const subjects = (claims: readonly (ClaimedRun | undefined)[]) => claims.map(claimed => claimed?.run.subjectId);

/** Sixteen who claim, hold what they got for a moment, and end it, until nothing waits. */
async function swarm(): Promise<void> {
  const anythingWaits = async () => (await stages.sql(`select from runs where state = 'queued' limit 1`)).length > 0;
  await Promise.all(
    Array.from({ length: 16 }, async (_, i) => {
      for (;;) {
        const claimed = await claim(`w${i % 4}`);
        if (claimed === undefined && !(await anythingWaits())) return;
        await systemClock.sleep(5 + (i % 4));
        if (claimed !== undefined) await end(claimed);
      }
    }),
  );
}

/** The most that were held at one instant, of each value of a column: by the database's clock, from the rows. */
async function mostHeld(column: string): Promise<Record<string, number>> {
  const rows = await stages.sql<{ value: string; most: number }>(
    `select value, max(count)::int as most from (
       select a.${column}::text as value, count(*) from runs a
         join runs b on b.${column} = a.${column} and b.leased_at <= a.leased_at and b.ended_at > a.leased_at
        group by a.id, a.${column}) as at_each_start group by value order by value`,
  );
  return Object.fromEntries(rows.map(({ value, most }) => [value, most]));
}

describe('sixteen claimants at once', () => {
  let other: string;
  beforeEach(async () => {
    other = await anotherProject('other', 'codex');
  });
  const fill = () => open(...Array.from({ length: 36 }, (_, i) => ({ projectId: i % 2 === 0 ? stages.projectId : other })));

  test.each([
    ['tenant', { id: (): string => '', column: 'tenant_id', isOf: (): boolean => true }],
    ['project', { id: (): string => other, column: 'project_id', isOf: (run: RunRow): boolean => run.projectId === other }],
    ['agent', { id: (): string => 'codex', column: 'agent', isOf: (run: RunRow): boolean => run.agent === 'codex' }],
    ['worker', { id: (): string => 'w1', column: 'worker', isOf: (): boolean => true }],
  ] as const)('never hold more of a %s than its limit, and do hold that many', async (scope, { id, column, isOf }) => {
    await fill();
    await limit(scope, id(), 3);
    const held: ClaimedRun[] = [];
    for (let got = await claim('w1'); got !== undefined; got = await claim('w1')) held.push(got);
    expect(held.filter(({ run }) => isOf(run))).toHaveLength(3);
    for (const each of held) await end(each);
    await swarm();
    const most = await mostHeld(column);
    expect(most[scope === 'tenant' ? stages.tenantId : id()]).toBeLessThanOrEqual(3);
    expect(Math.max(...Object.values(most))).toBeGreaterThan(1);
    expect(await stages.sql(`select from runs where state <> 'failed'`)).toEqual([]);
  });

  test('take no two tickets that touch the same file', async () => {
    const files = [['src/a.ts'], ['src'], ['src/b.ts', 'x'], ['x'], ['docs/y'], ['src-2/a.ts']];
    await open(...Array.from({ length: 24 }, (_, i) => ({ files: files[i % 6] ?? [] })));
    await swarm();
    const sideBySide = await stages.sql<{ a: string; b: string }>(
      `select distinct array_to_string(ta.files, ' ') as a, array_to_string(tb.files, ' ') as b
         from runs a join runs b on b.id <> a.id and b.leased_at <= a.leased_at and b.ended_at > a.leased_at
         join tickets ta on ta.id = a.subject_id join tickets tb on tb.id = b.subject_id`,
    );
    const touch = (a: string, b: string) => a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
    const pairs = sideBySide.map(({ a, b }) => [a.split(' '), b.split(' ')] as const);
    expect(pairs.filter(([a, b]) => a.some(one => b.some(other => touch(one, other))))).toEqual([]);
    expect(pairs.length).toBeGreaterThan(0);
  });

  test('a brake that tries lets one go at a time', async () => {
    await open({}, {}, {}, {}, {}, {});
    await stages.engine(tx => pullBrake(tx, { reason: 'r', by: 'storm', dueMs: 0 }));
    expect(await claim()).toBeUndefined();
    await stages.engine(tx => easeBrake(tx));
    await swarm();
    expect(Object.values(await mostHeld('tenant_id'))).toEqual([1]);
  });
});

describe('limits', () => {
  test('of nothing hold all back; who is at a limit does not hold up who is not', async () => {
    const other = await anotherProject('other');
    const [first, second] = await open({ priority: 9 }, { projectId: other });
    await limit('project', stages.projectId, 0);
    expect(subjects([await claim(), await claim()])).toEqual([second, undefined]);
    await limit('tenant', '', 1);
    await stages.app(tx => removeLimit(tx, { scope: 'project', scopeId: stages.projectId }));
    expect(await claim()).toBeUndefined();
    await limit('tenant', '', 2);
    expect(subjects([await claim()])).toEqual([first]);
  });

  test('of another tenant, worker or kind of agent count for nothing here', async () => {
    await open({});
    const strangers = await stages.makeTenant('strangers');
    await stages.app(tx => setLimit(tx, { scope: 'tenant', scopeId: '', runsMax: 0 }), strangers);
    await limit('worker', 'another', 0);
    await limit('agent', 'codex', 0);
    expect(await claim()).toBeDefined();
  });

  test('are not more than each claim can look at', async () => {
    await stages.sql(
      `insert into run_limits (tenant_id, scope, scope_id, runs_max) select $1, 'worker', 'w' || n, 1 from generate_series(1, 1000) n`,
      [stages.tenantId],
    );
    await expect(limit('worker', 'one-more', 1)).rejects.toMatchObject({ code: 'too_large' });
    expect(await limit('worker', 'w7', 3)).toMatchObject({ scopeId: 'w7', runsMax: 3 });
  });

  test('a project at its limit is passed over however much of it waits first', async () => {
    const other = await anotherProject('other');
    const [behind] = await open({ projectId: other });
    await open(...Array.from({ length: 130 }, () => ({ priority: 9 })));
    await limit('project', stages.projectId, 0);
    expect(subjects([await claim(), await claim()])).toEqual([behind, undefined]);
  });
});

describe('files', () => {
  test('that a run was seen to touch count as those that were expected; they are free when it is over', async () => {
    const [first, second] = await open({}, { files: ['src/a.ts'] });
    await stages.sql(`update tickets set observed = '{src/a.ts}' where id = $1`, [first]);
    const held = await claim();
    expect(subjects([held, await claim()])).toEqual([first, undefined]);
    if (held !== undefined) await end(held);
    expect(subjects([await claim()])).toEqual([second]);
  });

  test('are held until what was handed in is judged', async () => {
    const [first, second] = await open({ files: ['a'] }, { files: ['a'] });
    const held = await claim();
    if (held !== undefined) await stages.engine(tx => submitRun(tx, holder(held), { summary: 's' }));
    expect(subjects([held, await claim()])).toEqual([first, undefined]);
    await stages.drain();
    expect(subjects([await claim()])).toEqual([second]);
  });

  test('are held no longer once what was handed in waits for a person', async () => {
    const [first, second] = await open({ files: ['a'] }, { files: ['a'] });
    const held = await claim();
    if (held !== undefined) await stages.engine(tx => submitRun(tx, holder(held), { summary: 's' }));
    expect(subjects([held, await claim()])).toEqual([first, undefined]);
    await stages.sql(`update tickets set status = 'waiting' where id = $1`, [first]);
    expect(subjects([await claim()])).toEqual([second]);
    await stages.sql(`update tickets set status = 'verifying' where id = $1`, [first]);
  });

  test('of another project are other files; a project may let its tickets collide', async () => {
    const other = await anotherProject('other');
    const [a, b, c] = await open({ files: ['a'] }, { files: ['a'], projectId: other }, { files: ['a'] });
    expect(subjects([await claim(), await claim(), await claim()])).toEqual([a, b, undefined]);
    await stages.app(tx => editProject(tx, stages.projectId, { collisions: 'allow' }));
    expect(subjects([await claim()])).toEqual([c]);
  });

  test('that a person takes off a ticket hold it no longer', async () => {
    const [first, second] = await open({ files: ['a'] }, { files: ['a'] });
    expect(subjects([await claim(), await claim()])).toEqual([first, undefined]);
    await stages.app(tx => editTicket(tx, second ?? '', { files: [] }));
    expect(subjects([await claim()])).toEqual([second]);
  });

  test('that many wait for hold up none that does not', async () => {
    await open({ files: ['lock.json'] }, ...Array.from({ length: 260 }, () => ({ files: ['src/a.ts', 'lock.json'] })), {
      files: ['src/b.ts'],
    });
    const [first, second, third] = [await claim(), await claim(), await claim()];
    const files = await stages.sql<{ files: string[] }>('select files from tickets where id = any ($1)', [
      subjects([first, second]),
    ]);
    expect(files.map(row => row.files)).toEqual([['lock.json'], ['src/b.ts']]);
    expect(third).toBeUndefined();
  });

  test('of the first that has aged are kept free for it', async () => {
    const [held, small, aged] = await open({ files: ['b'] }, { files: ['a'] }, { files: ['a', 'b'] });
    const first = await claim();
    expect(subjects([first])).toEqual([held]);
    await stages.sql(`update runs set aged_at = now(), priority = 1000000 where subject_id = $1`, [aged]);
    expect(await claim()).toBeUndefined();
    if (first !== undefined) await end(first);
    expect(subjects([await claim(), await claim()])).toEqual([aged, undefined]);
    expect(await stages.statusOf(small ?? '')).toBe('ready');
  });

  test('of the first that has aged of each project: one that nobody may take up stands in the way of no other', async () => {
    const other = await anotherProject('other');
    const [stuck, held, aged, small] = await open(
      { files: ['z'] },
      { projectId: other, files: ['src/a'] },
      { projectId: other, files: ['src'] },
      { projectId: other, files: ['src/b'] },
    );
    await limit('project', stages.projectId, 0);
    const first = await claim();
    expect(subjects([first])).toEqual([held]);
    await stages.sql(`update runs set aged_at = now(), priority = 1000000 where subject_id in ($1, $2)`, [stuck, aged]);
    expect(await claim()).toBeUndefined();
    if (first !== undefined) await end(first);
    expect(subjects([await claim(), await claim()])).toEqual([aged, undefined]);
    expect(await stages.statusOf(small ?? '')).toBe('ready');
  });
});

describe('labels', () => {
  test('of a project are asked of the machine, and follow the project', async () => {
    const [id] = await open({});
    await stages.app(tx => editProject(tx, stages.projectId, { labels: ['gpu', 'region=eu'] }));
    await stages.drain();
    expect(subjects([await claim(), await claim('w', ['label:gpu'])])).toEqual([undefined, undefined]);
    expect(subjects([await claim('w', ['label:gpu', 'label:region=eu', 'label:more'])])).toEqual([id]);
    await stages.app(tx => editProject(tx, stages.projectId, { labels: ['gpu'] }));
    const [second] = await open({});
    expect(subjects([await claim(), await claim('w', ['label:gpu'])])).toEqual([undefined, second]);
  });

  test('that no machine has hold up nobody else', async () => {
    const other = await anotherProject('other');
    await stages.app(tx => editProject(tx, stages.projectId, { labels: ['gpu'] }));
    await open(...Array.from({ length: 130 }, () => ({ priority: 9 })));
    const [free] = await open({ projectId: other });
    expect(subjects([await claim(), await claim()])).toEqual([free, undefined]);
  });

  test('an agent that was changed is asked for at once', async () => {
    const [id] = await open({});
    await stages.app(tx => editProject(tx, stages.projectId, { agent: { kind: 'pi', model: 'm' } }));
    await stages.drain();
    expect(subjects([await claim(), await claim('w', ['agent:pi'])])).toEqual([undefined, id]);
  });
});

describe('isolation', () => {
  const offer = (...levels: string[]) =>
    claim(
      'w',
      levels.map(level => `isolation:${level}`),
    );

  test('that a project accepts at least is asked of the machine, and follows the project', async () => {
    const [id] = await open({});
    await stages.app(tx => editProject(tx, stages.projectId, { isolation: 'kernel' }));
    await stages.drain();
    expect(subjects([await offer(), await offer('namespaces', 'kernel')])).toEqual([undefined, id]);
    const [second] = await open({});
    expect(await requirements(second)).toEqual(['agent:exec', 'isolation:kernel']);
    await stages.app(tx => editProject(tx, stages.projectId, { isolation: 'none' }));
    await stages.drain();
    expect(await requirements(second)).toEqual(['agent:exec']);
    expect(subjects([await offer()])).toEqual([second]);
  });

  const requirements = async (ticketId: string | undefined) =>
    (await stages.sql<{ requires: string[] }>('select requires from runs where subject_id = $1', [ticketId]))[0]?.requires;
});

describe('who waits for work is told', () => {
  let heard: string[];
  let listening: pg.Client;
  beforeEach(async () => {
    heard = [];
    listening = new pg.Client({ connectionString: stages.superuserUrl });
    await listening.connect();
    listening.on('notification', ({ payload }) => heard.push(payload ?? ''));
    await listening.query('listen skep_runs');
  });
  afterEach(() => listening.end());
  /** What was said before is heard by now: notifications come before the answer to a later question. */
  const said = async () => {
    await listening.query('select 1');
    return heard.splice(0);
  };

  test('when a run ends, where anything may have been held back by it, and else not', async () => {
    await open({}, {}, {});
    const [first, second, third] = [await claim(), await claim(), await claim()];
    await said();
    if (first !== undefined) await end(first);
    expect(await said()).toEqual([]);
    await limit('tenant', '', 3);
    expect(await said()).toEqual([stages.tenantId]);
    if (second !== undefined) await end(second);
    expect(await said()).toEqual([stages.tenantId]);
    if (third !== undefined) await stages.engine(tx => submitRun(tx, holder(third), { summary: 's' }));
    expect(await said()).toEqual([stages.tenantId]);
    await stages.drain();
    expect(await said()).toContain(stages.tenantId);
  });

  test('when the brake is eased or lifted, a limit goes, or a ticket or a project is changed', async () => {
    const [id] = await open({});
    await limit('agent', 'pi', 1);
    await said();
    const steps: (() => Promise<unknown>)[] = [
      () => stages.app(tx => removeLimit(tx, { scope: 'agent', scopeId: 'pi' })),
      () =>
        stages.engine(tx => pullBrake(tx, { reason: 'r', by: 'storm', dueMs: 0 })).then(() => stages.engine(tx => easeBrake(tx))),
      () => stages.engine(tx => liftBrake(tx)),
      () => stages.app(tx => editTicket(tx, id ?? '', { files: ['a'] })).then(stages.drain),
      () => stages.app(tx => editProject(tx, stages.projectId, { collisions: 'allow' })).then(stages.drain),
    ];
    for (const step of steps) {
      await step();
      expect(await said()).toEqual([stages.tenantId]);
    }
  });
});

test('the brake holds all claims back until it is lifted', async () => {
  const [id] = await open({});
  await stages.app(tx => pullBrake(tx, { reason: 'r', by: 'me', dueMs: null }));
  expect(await claim()).toBeUndefined();
  expect(await stages.engine(tx => easeBrake(tx))).toBeUndefined();
  await stages.app(tx => liftBrake(tx));
  expect(subjects([await claim()])).toEqual([id]);
});
