import { describe, expect, test } from 'vitest';
import type { Claimed } from '../../../../contract/runs.ts';
import { hashSecret } from '../../../../src/kernel/secret.ts';
import { type Bench, bench, claimed, leased, queued, ticket } from '../history.ts';
import type { Facts } from '../types.ts';

const at = (ms: number): Date => new Date(ms);

/** A ticket that is worked on, with the run token `run-one`; its agent has asked something at 20, which is due at 500. */
function asked(default_answer: string | null = null): Bench {
  const made = bench();
  made.commit(0, [], ['projects', 'p', { collisions: 'allow' }], ['tickets', 'T', ticket], ['runs', 'r1', waiting]);
  const held = { ...leased('one', 10), lease_expires_at: at(1_010), run_token_hash: hashSecret('run-one') };
  made.commit(10, ['one'], ['runs', 'r1', held], ['tickets', 'T', claimed(1)]);
  made.commit(20, [], ['questions', 'q', { ...pending, default_answer }]);
  return made;
}

const waiting: Facts = { ...queued, template: null, created_at: at(0), halt: null, run_token_hash: null };
const pending: Facts = {
  ...{ kind: 'ask', state: 'pending', ticket_id: 'T', run_id: 'r1', text: 'Which?', default_answer: null, answer: null },
  ...{ due_at: at(500), decided_at: null },
};
const answered = (answer: string): Facts => ({ state: 'answered', answer, decided_at: at(100) });

/** What the worker of the second attempt is told. */
const second = (answers: readonly object[]): Claimed =>
  ({ run: { id: 'r2', subject_type: 'ticket', attempt: 2 }, ticket: { id: 'T' }, task: { answers } }) as unknown as Claimed;

/** The first attempt is parked on its question, which is answered; the second is claimed. */
function again(): Bench {
  const made = asked();
  const parked = { state: 'parked', lease_expires_at: null, halt: { questionId: 'q' } };
  made.commit(50, ['one'], ['runs', 'r1', parked], ['tickets', 'T', { status: 'waiting' }]);
  made.commit(100, [], ['questions', 'q', answered('this')]);
  made.commit(110, [], ['runs', 'r1', { state: 'returned', resumed: true }], ['tickets', 'T', { status: 'ready' }]);
  made.commit(120, [], ['runs', 'r2', { ...waiting, attempt: 2 }]);
  made.commit(130, ['two'], ['runs', 'r2', leased('two', 130)], ['tickets', 'T', claimed(2)]);
  return made;
}

describe('questions', () => {
  test('one that is answered, and told to the next attempt, breaks no rule', () => {
    const made = again();
    made.oracle.witness.heard('T', 'answered', 'this');
    made.oracle.witness.begins(second([{ question: 'Which?', answer: 'this', is_default: false }]));
    expect(made.oracle.violation()).toBeUndefined();
  });

  test.each<readonly [rule: string, how: string, history: () => Bench]>([
    [
      'a question is decided once',
      'a second answer takes the place of the first',
      () => {
        const made = asked();
        made.commit(100, [], ['questions', 'q', answered('this')]);
        made.commit(110, [], ['questions', 'q', answered('that')]);
        return made;
      },
    ],
    [
      'a question has its time',
      'it expires while there is time, and its ticket is worked on',
      () => {
        const made = asked();
        made.commit(100, [], ['questions', 'q', { state: 'expired', decided_at: at(100) }]);
        return made;
      },
    ],
    [
      'the default holds',
      'it expires, and its default is not the answer',
      () => {
        const made = asked('the short one');
        made.commit(501, [], ['questions', 'q', { state: 'expired', decided_at: at(501) }]);
        return made;
      },
    ],
    [
      'an agent is told what was decided',
      'the next attempt is told nothing',
      () => {
        const made = again();
        made.oracle.witness.begins(second([]));
        return made;
      },
    ],
    [
      'an agent is told what was decided',
      'it is told what nobody has said',
      () => {
        const made = again();
        made.oracle.witness.heard('T', 'answered', 'that');
        return made;
      },
    ],
    [
      'who waits for an answer goes on with it',
      'a run that is parked goes on before there is an answer',
      () => {
        const made = asked();
        const parked = { state: 'parked', lease_expires_at: null, halt: { questionId: 'q' } };
        made.commit(50, ['one'], ['runs', 'r1', parked], ['tickets', 'T', { status: 'waiting' }]);
        made.commit(60, [], ['runs', 'r1', { state: 'returned', resumed: true }]);
        return made;
      },
    ],
  ])('%s: %s', (rule, _, history) => {
    expect(history().rule()).toBe(rule);
  });
});

const call: Facts = {
  ...{ state: 'reserved', run_id: 'r1', project_id: 'p', ticket_id: 'T', budget_ids: ['b'] },
  ...{ reserved_microusd: 300, charged_microusd: 0, charged_tokens: 0 },
};
const budget: Facts = { scope: 'project', scope_id: 'p', cap_microusd: 500, spent_microusd: 0, reserved_microusd: 0 };
const reserved = ['budgets', 'b', { reserved_microusd: 300 }] as const;
const settled = { state: 'completed', charged_microusd: 100, charged_tokens: 40 };

/** A call is granted, at 30. */
function called(): Bench {
  const made = asked();
  made.commit(25, [], ['budgets', 'b', budget]);
  made.oracle.witness.identified('run-one', 30);
  made.commit(30, [], ['model_calls', 'c', call], reserved);
  return made;
}

describe('money', () => {
  test('a call that is reserved, answered and settled breaks no rule', () => {
    const made = called();
    made.oracle.witness.used('r1', 40);
    made.commit(40, [], ['model_calls', 'c', settled], ['budgets', 'b', { reserved_microusd: 0, spent_microusd: 100 }]);
    made.oracle.end();
    expect(made.oracle.violation()).toBeUndefined();
  });

  test.each<readonly [rule: string, how: string, history: () => Bench]>([
    [
      'no cap is passed',
      'two calls are granted that do not fit together',
      () => {
        const made = called();
        made.commit(35, [], ['model_calls', 'd', call], ['budgets', 'b', { reserved_microusd: 600 }]);
        return made;
      },
    ],
    [
      'the books balance',
      'what was reserved is not given back',
      () => {
        const made = called();
        made.commit(40, [], ['model_calls', 'c', settled], ['budgets', 'b', { spent_microusd: 100 }]);
        return made;
      },
    ],
    [
      'a call is settled once',
      'it is charged again',
      () => {
        const made = called();
        made.commit(40, [], ['model_calls', 'c', settled], ['budgets', 'b', { reserved_microusd: 0, spent_microusd: 100 }]);
        made.commit(50, [], ['model_calls', 'c', { charged_microusd: 200 }], ['budgets', 'b', { spent_microusd: 200 }]);
        return made;
      },
    ],
    [
      'what was used is paid',
      'a call that nobody saw the end of is charged nothing',
      () => {
        const made = called();
        made.oracle.witness.used('r1', 40);
        made.commit(40, [], ['model_calls', 'c', { state: 'lost' }], ['budgets', 'b', { reserved_microusd: 0 }]);
        made.oracle.end();
        return made;
      },
    ],
    [
      'a run token dies with its claim',
      'a token is taken after the sweep has taken its run back',
      () => {
        const made = called();
        made.commit(1_020, [], ['runs', 'r1', { state: 'lost', lease_expires_at: null }]);
        made.oracle.witness.identified('run-one', 1_030);
        return made;
      },
    ],
    [
      'a run token dies with its claim',
      'a token is taken after its lease has run out',
      () => {
        const made = called();
        made.oracle.witness.identified('run-one', 1_011);
        return made;
      },
    ],
  ])('%s: %s', (rule, _, history) => {
    expect(history().rule()).toBe(rule);
  });
});

/** The breaker of the near model is opened at 100, until 900; a run that is made at `madeAt` is queued for it. */
function shut(madeAt: number, template = 'near@1'): Bench {
  const made = bench();
  made.commit(0, [], ['projects', 'p', { collisions: 'allow' }], ['tickets', 'T', ticket]);
  if (madeAt < 100) made.commit(madeAt, [], ['runs', 'r1', { ...waiting, template, created_at: at(madeAt) }]);
  made.commit(100, [], ['breakers', 'n', { provider: 'near', retry_at: at(900) }]);
  if (madeAt >= 100) made.commit(madeAt + 10, [], ['runs', 'r1', { ...waiting, template, created_at: at(madeAt) }]);
  return made;
}

describe('routes', () => {
  const claim = (made: Bench, ms: number): Bench => {
    made.commit(ms, ['one'], ['runs', 'r1', { ...leased('one', ms), leased_at: at(ms) }], ['tickets', 'T', claimed(1)]);
    return made;
  };
  const rule = 'an open route gives out no run';

  test('what is queued for a model that does not answer, since that is known, breaks a rule', () => {
    expect(shut(200).rule()).toBe(rule);
    expect(shut(200, 'far@1').rule()).toBeUndefined();
    // Its transaction had begun before.
    expect(shut(99).rule()).toBeUndefined();
  });

  test('what waited is claimed for it until it was brought to the template that holds, and not after that', () => {
    expect(claim(shut(50), 150).rule()).not.toBe(rule);
    const moved = shut(50);
    moved.commit(160, [], ['brakes', 'b', { state: 'off' }]);
    moved.oracle.witness.refitted(150);
    expect(claim(moved, 200).rule()).toBe(rule);
    const due = shut(50);
    due.oracle.witness.refitted(150);
    // One call is let through.
    expect(claim(due, 901).rule()).not.toBe(rule);
  });
});
