import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Stages, stagesForTests } from '../../../test/harness/stages.ts';
import type { Fault } from '../../kernel/fault.ts';
import { questionsOverdue } from './questions.sql.ts';
import { readAnswer } from './model/answer.ts';
import { answerQuestion, expireQuestion, findQuestion, getQuestion, listQuestions, openQuestion } from './verbs.ts';

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests();
});
// Questions that no run hangs on: the rest of the product is not there.
afterEach(() => stages.close({ isByHand: true }));

const wanted = { kind: 'ask', subject: { type: 'run', id: 'r' }, text: 'Which?' } as const;
const open = (more: object = {}) => stages.engine(tx => openQuestion(tx, { ...wanted, ...more }));
const answer = (id: string, text: string) => stages.app(tx => answerQuestion(tx, id, text));
const expire = (id: string, onlyOverdue = false) => stages.engine(tx => expireQuestion(tx, id, { onlyOverdue }));
const told = async () =>
  (await stages.sql<{ type: string }>(`select type from events where type like 'question.%' order by id`)).map(row => row.type);

test('of a subject and key one is pending, however many ask at once', async () => {
  const asked = await Promise.all(Array.from({ length: 10 }, () => open()));
  expect(new Set(asked.map(question => question.id)).size).toBe(1);
  const other = await open({ key: 'k' });
  expect(other.id).not.toBe(asked[0]?.id);
  expect(await told()).toEqual(['question.opened', 'question.opened']);
  await answer(other.id, 'x');
  const again = await open({ key: 'k' });
  expect(again.id).not.toBe(other.id);
  expect((await stages.app(tx => findQuestion(tx, { ...wanted, key: 'k' })))?.id).toBe(again.id);
  expect((await stages.app(tx => listQuestions(tx, { state: 'pending', limit: 10 }))).map(({ id }) => id)).toEqual([
    again.id,
    asked[0]?.id,
  ]);
});

test('of many answers one holds; the same one is answered the same, and others are refused', async () => {
  const { id } = await open();
  const all = await Promise.allSettled(Array.from({ length: 12 }, (_, index) => answer(id, String(index % 3))));
  const held = (await stages.app(tx => getQuestion(tx, id))).answer;
  const fulfilled = all.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []));
  expect(fulfilled.map(({ question }) => question.answer)).toEqual([held, held, held, held]);
  expect(fulfilled.filter(({ isFirst }) => isFirst).length).toBe(1);
  const refused = all.flatMap(each => (each.status === 'rejected' ? [(each.reason as Fault).code] : []));
  expect(refused).toEqual(Array.from({ length: 8 }, () => 'wrong_state'));
  expect(await told()).toEqual(['question.opened', 'question.answered']);
  await expect(answer('6f4b5f0e-1111-4222-8333-444455556666', 'x')).rejects.toMatchObject({ code: 'question_not_found' });
});

test('the answer stands in no event: it may be anything', async () => {
  const { id } = await open();
  await answer(id, 'the password is hunter2');
  expect(await stages.sql(`select from events where payload::text like '%hunter2%'`)).toEqual([]);
});

test('what is overdue ends with its default, by the clock of the database; what has no end never does', async () => {
  const [due, later, endless] = [
    await open({ key: '1', dueMs: 0, defaultAnswer: 'a' }),
    await open({ key: '2', dueMs: 60_000, defaultAnswer: 'b' }),
    await open({ key: '3' }),
  ];
  const overdue = async (ms: number) => (await stages.database.enginePool.query(questionsOverdue, [ms])).map(({ id }) => id);
  expect([await overdue(0), await overdue(60_000)]).toEqual([[due.id], []]);
  for (const { id } of [later, endless]) expect(await expire(id, true)).toBeUndefined();
  expect(await expire(due.id, true)).toMatchObject({ state: 'expired', answer: 'a', answeredBy: null });
  expect(await expire(due.id)).toBeUndefined();
  expect(await expire(endless.id)).toMatchObject({ state: 'expired', answer: null });
  await expect(answer(due.id, 'a')).rejects.toMatchObject({ code: 'wrong_state' });
  expect(await overdue(0)).toEqual([]);
});

test('another tenant sees none of it', async () => {
  const { id } = await open();
  const them = await stages.makeTenant('them');
  await expect(stages.app(tx => getQuestion(tx, id), them)).rejects.toMatchObject({ code: 'question_not_found' });
  await expect(stages.app(tx => answerQuestion(tx, id, 'x'), them)).rejects.toMatchObject({ code: 'question_not_found' });
  expect(await stages.app(tx => listQuestions(tx, { limit: 10 }), them)).toEqual([]);
});

test.each([
  ['budget', 'raise:5.00', { kind: 'raise', amount: '5.00', unit: 'usd' }],
  ['budget', 'raise:$0.5', { kind: 'raise', amount: '0.5', unit: 'usd' }],
  ['budget', 'raise:2000000 tokens', { kind: 'raise', amount: '2000000', unit: 'tokens' }],
  ['budget', 'model:openai/gpt-5-mini', { kind: 'model', model: 'openai/gpt-5-mini' }],
  ['budget', 'stop', { kind: 'stop' }],
  ['budget', 'go on', undefined],
  ['budget', 'raise:1.0000001', undefined],
  ['budget', 'raise:5.00 tokens', undefined],
  ['budget', 'model:$(x)', undefined],
  ['blocker', 'stop', { kind: 'stop' }],
  ['blocker', 'raise:5.00', { kind: 'text', text: 'raise:5.00' }],
  ['ask', 'stop', { kind: 'text', text: 'stop' }],
  ['recovery', 'again', { kind: 'text', text: '' }],
  ['recovery', 'try it on another machine', { kind: 'text', text: 'try it on another machine' }],
  ['recovery', 'stop', { kind: 'stop' }],
] as const)('to a question of kind %s "%s" is %j', (kind, text, decision) => {
  expect(readAnswer(kind, text)).toEqual(decision);
});
