import { expect, test } from 'vitest';
import { eventTypes } from '../contract/events.ts';
import { stagesForTests } from '../test/harness/stages.ts';
import { endings, flow, tasks } from './flow.ts';
import { beginEvents, claimEvents, submitEvents } from './stages/runs/index.ts';
import { settleEvents } from './support/budgets/index.ts';

const started = Object.keys(flow);

test('every type of event starts a verb or is an ending, and none is both', () => {
  expect([...started, ...endings].toSorted()).toEqual(eventTypes.toSorted());
});

test('every task of the flow has a verb, and every verb a place in the flow', async () => {
  const stages = await stagesForTests();
  const verbs = Object.keys(tasks(stages.parts));
  await stages.close();
  expect([...new Set(Object.values(flow).flat())].toSorted()).toEqual(verbs.toSorted());
});

test('what the claim writes past the flow starts nothing', async () => {
  expect(started.filter(type => (claimEvents as readonly string[]).includes(type))).toEqual([]);
  const stages = await stagesForTests();
  await stages.claimNew();
  const rows = await stages.sql<{ type: string }>(`select distinct type from events where actor = 'worker:w' order by 1`);
  await stages.close();
  expect(rows.map(row => row.type)).toEqual([...claimEvents].toSorted());
});

test('what a settlement writes past the flow starts nothing', () => {
  expect(started.filter(type => (settleEvents as readonly string[]).includes(type))).toEqual([]);
});

test('what a start and a hand-in write past the flow starts nothing', () => {
  expect(started.filter(type => ([...beginEvents, ...submitEvents] as readonly string[]).includes(type))).toEqual([]);
});
