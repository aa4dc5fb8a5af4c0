import { expect, test } from 'vitest';
import type { Change, Commit, Facts, Snapshot, TableName } from '../../oracle/types.ts';
import { createDice } from '../dice.ts';
import { createGraph } from '../git/graph.ts';
import { optionsOf } from '../options.ts';
import type { World } from '../parts.ts';
import { beginning, createScheduler } from '../scheduler.ts';
import { createStrikes } from '../strikes.ts';
import { createTrace } from '../trace.ts';
import { hasty } from './hasty.ts';
import { createStranger } from './stranger.ts';

function worldWith(rates: Partial<ReturnType<typeof optionsOf>['faults']>) {
  const scheduler = createScheduler();
  const options = optionsOf(1);
  const faults = { ...options.faults, ...rates };
  let isFaulty = true;
  const world = {
    ...{ scheduler, graph: createGraph(), dice: createDice(1), trace: createTrace(scheduler) },
    ...{ options: { ...options, faults }, isFaulty: () => isFaulty },
    strikes: createStrikes({ faults, isFaulty: () => isFaulty }),
  } as unknown as World;
  return { world, scheduler, calm: () => (isFaulty = false) };
}

const commitOf = (...changes: readonly (readonly [TableName, Facts | undefined, Facts])[]): Commit => ({
  at: beginning,
  spoken: new Map(),
  changes: changes.map(([table, before, after]) => ({ table, before, after }) as Change),
});
const tickets = [
  { id: 'T1', type: 'task', status: 'ready' },
  { id: 'T2', type: 'epic', status: 'ready' },
  { id: 'T3', type: 'task', status: 'blocked' },
];
const snapshot = (trunk: string): Snapshot => ({ all: table => (table === 'tickets' ? tickets : [{ state: trunk }]) as never });

test('somebody withdraws what can be queued, and what is queued, in a moment, and nothing any more when all is calm', async () => {
  const { world, scheduler, calm } = worldWith({ haste: 2 });
  const asked: string[] = [];
  const server = { cancelTicket: (id: string) => Promise.resolve(void asked.push(id)) };
  const saw = hasty({
    ...{ world, dice: createDice(1) },
    async ask(verb) {
      await verb(server as never);
      return 'done';
    },
  });
  const made = commitOf(['tickets', undefined, { ...tickets[0] }]);
  saw(made, snapshot('preparing'));
  await scheduler.run(beginning + 30);
  expect(asked).toEqual([]);
  saw(commitOf(['trunks', { state: 'preparing' }, { state: 'ready' }]), snapshot('ready'));
  saw(made, snapshot('ready'));
  saw(commitOf(['runs', undefined, { state: 'queued', ticket_id: 'T3' }]), snapshot('ready'));
  saw(commitOf(['runs', { state: 'queued' }, { state: 'leased', ticket_id: 'T4' }]), snapshot('ready'));
  saw(commitOf(['tickets', undefined, { ...tickets[1] }]), snapshot('ready'));
  await scheduler.run(beginning + 60);
  expect(asked.toSorted()).toEqual(['T1', 'T1', 'T3']);
  calm();
  saw(made, snapshot('ready'));
  await scheduler.run(beginning + 90);
  expect(asked).toHaveLength(3);
});

test('a stranger puts work of their own on a branch, and takes it off again, but for what was put over it', async () => {
  const { world, scheduler } = worldWith({ stranger: 1 });
  const { graph } = world;
  const branches = new Map<string, string>();
  const stranger = createStranger({ world, repository: { head: graph.root, branches } });
  const trunk = { branch: 'skep/a', state: 'ready', published_sha: null };
  stranger.saw(commitOf(['trunks', undefined, trunk]));
  await scheduler.run(beginning + 2_000);
  expect(branches.size).toBe(0);
  stranger.saw(commitOf(['trunks', { ...trunk, state: 'preparing' }, trunk]));
  await scheduler.run(beginning + 4_000);
  const theirs = branches.get('skep/a') ?? '';
  expect([graph.get(theirs).parents, stranger.branches()]).toEqual([[graph.root], ['skep/a']]);
  stranger.leave('skep/a');
  expect([branches.has('skep/a'), stranger.branches()]).toEqual([false, []]);

  branches.set('skep/a', graph.root);
  stranger.saw(commitOf(['trunks', trunk, { ...trunk, published_sha: graph.root }]));
  await scheduler.run(beginning + 6_000);
  expect(branches.get('skep/a')).not.toBe(graph.root);
  stranger.leave('skep/a');
  expect(branches.get('skep/a')).toBe(graph.root);

  stranger.saw(commitOf(['trunks', trunk, { ...trunk, published_sha: graph.root }]));
  await scheduler.run(beginning + 8_000);
  branches.set('skep/a', theirs);
  stranger.leave('skep/a');
  stranger.leave('skep/b');
  expect(branches.get('skep/a')).toBe(theirs);
});
