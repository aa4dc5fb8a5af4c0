import { describe, expect, test } from 'vitest';
import { type Stages, useStages } from '../../../test/harness/stages.ts';
import { isFault } from '../../kernel/fault.ts';
import { hashSecret } from '../../kernel/secret.ts';
import { cancelTicket } from '../tickets/index.ts';
import type { ClaimedRun } from './queue/claim.ts';
import { haltRun, liveRunsOf, runOfToken } from './run-token.ts';
import type { StoredHalt } from './runs.sql.ts';
import { unfinished } from './recovery/classed.ts';
import { loseRun } from './recovery/lose.ts';
import { failRun, parkRun, returnClaim, submitRun } from './verbs.ts';

let stages: Stages;
useStages(made => (stages = made));

const holderOf = ({ run, token }: ClaimedRun) => ({ runId: run.id, token });
const halt = ({ run }: ClaimedRun, what: StoredHalt) => stages.engine(tx => haltRun(tx, run.id, what));
const fail = (claimed: ClaimedRun) =>
  stages.engine(tx =>
    failRun(tx, holderOf(claimed), { failureClass: 'agent_failed', message: 'it gave up', settings: stages.settings }),
  );
const park = (claimed: ClaimedRun) => stages.engine(tx => parkRun(tx, holderOf(claimed), { summary: 'half of it' }));
const codeOf = async (work: Promise<unknown>) => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return isFault(error) ? error.code : error;
};
const ticketOf = async ({ run }: ClaimedRun) =>
  (
    await stages.sql<{ status: string; reason: string }>('select status, status_reason as reason from tickets where id = $1', [
      run.subjectId,
    ])
  )[0];
const stateOf = async ({ run }: ClaimedRun) =>
  (
    await stages.sql<{ state: string; failure: string | null }>(
      'select state, failure_class as failure from runs where id = $1',
      [run.id],
    )
  )[0];
const spent: StoredHalt = { kind: 'budget', message: 'The budget is spent: $0.50 of $0.50' };

describe('a run token', () => {
  test('stands for its run while the lease lives, and for nothing after', async () => {
    const claimed = await stages.claimNew({ title: 'Parse durations' });
    expect(await runOfToken(stages.database, claimed.runToken)).toMatchObject({
      tenantId: stages.tenantId,
      projectId: stages.projectId,
      runId: claimed.run.id,
      ticketId: claimed.run.subjectId,
      title: 'Parse durations',
      agent: 'exec',
      round: 0,
      phase: null,
    });
    expect(await liveRunsOf(stages.database, [claimed.run.id])).toEqual(new Set([claimed.run.id]));
    await stages.expire(claimed.run.id);
    expect(await codeOf(runOfToken(stages.database, claimed.runToken))).toBe('unauthenticated');
    expect(await liveRunsOf(stages.database, [claimed.run.id])).toEqual(new Set());
  });

  test('is neither the lease token nor stored, and a claim that is given back makes it worthless', async () => {
    const claimed = await stages.claimNew();
    expect(await codeOf(runOfToken(stages.database, claimed.token))).toBe('unauthenticated');
    expect(await stages.sql('select run_token_hash as hash from runs')).toEqual([{ hash: hashSecret(claimed.runToken) }]);
    await stages.engine(tx => returnClaim(tx, holderOf(claimed), stages.settings));
    expect(await codeOf(runOfToken(stages.database, claimed.runToken))).toBe('unauthenticated');
  });

  test('of a ticket that was cancelled is worth nothing', async () => {
    const claimed = await stages.claimNew();
    await stages.app(tx => cancelTicket(tx, claimed.run.subjectId, { reason: 'no', cascade: false }));
    await stages.drain();
    expect(await codeOf(runOfToken(stages.database, claimed.runToken))).toBe('unauthenticated');
  });
});

describe('a run whose last call of a model failed', () => {
  interface Call {
    readonly state?: 'completed' | 'failed' | 'incomplete';
    readonly status?: number;
    readonly firstByteMs?: number;
  }

  const called = (
    { run }: ClaimedRun,
    errorClass: string | null,
    { state = errorClass === null ? 'completed' : 'failed', status, firstByteMs }: Call = {},
  ) =>
    stages.sql(
      `insert into model_calls (tenant_id, run_id, project_id, agent, wire, provider, model, is_recorded, state, error_class,
                                status, first_byte_ms, reserved_microusd, reserved_tokens, ended_at)
       values ($1, $2, $3, 'exec', 'chat', 'local', 'm', false, $4, $5, $6, $7, 0, 0, now())`,
      [stages.tenantId, run.id, stages.projectId, state, errorClass, status ?? null, firstByteMs ?? null],
    );

  test.each([
    ['overloaded', 'provider'],
    ['breaker_open', 'provider'],
    ['spend_limit', 'quota'],
    ['billing', 'quota'],
    ['bad_request', 'agent_failed'],
    [null, 'agent_failed'],
  ] as const)('of %s failed as %s', async (errorClass, expected) => {
    const claimed = await stages.claimNew();
    await called(claimed, 'server');
    await called(claimed, errorClass);
    await fail(claimed);
    expect(await stateOf(claimed)).toEqual({ state: 'failed', failure: expected });
    const words = { provider: /local did not answer.*it gave up/, quota: /local says that its limit is used up.*it gave up/ };
    expect((await ticketOf(claimed))?.reason).toMatch(expected === 'agent_failed' ? /it gave up/ : words[expected]);
    await stages.drain();
  });

  test('whose agent then left the next one before it heard a word, failed of the same; not where it had heard some', async () => {
    for (const [firstByteMs, failure] of [
      [undefined, 'provider'],
      [7, 'agent_failed'],
    ] as const) {
      const claimed = await stages.claimNew();
      await called(claimed, 'overloaded');
      await called(claimed, 'client_gone', { state: 'incomplete', ...(firstByteMs === undefined ? {} : { firstByteMs }) });
      await fail(claimed);
      expect(await stateOf(claimed)).toEqual({ state: 'failed', failure });
      await stages.drain();
    }
  });

  test('of a request that was refused says with which status, whatever its agent makes of it', async () => {
    const claimed = await stages.claimNew();
    await called(claimed, 'bad_request', { status: 413 });
    await fail(claimed);
    expect((await ticketOf(claimed))?.reason).toMatch(/local refused what it was asked \(413\)\. it gave up/);
    await stages.drain();
  });

  test.each([
    { agent: 'gemini', errorClass: 'overloaded', state: 'incomplete', message: 'the last answer of its model broke off' },
    { agent: 'gemini', errorClass: 'length', state: 'completed', message: 'the last answer of its model reached its limit' },
    { agent: 'codex', errorClass: 'refusal', state: 'completed', message: 'its model refused to go on' },
    { agent: 'acp', errorClass: 'length', state: 'completed', message: 'the last answer of its model reached its limit' },
  ] as const)('of $agent that ended by $errorClass is not finished', async ({ agent, errorClass, state, message }) => {
    const claimed = await stages.claimNew();
    await called(claimed, null);
    await called(claimed, errorClass, { state, firstByteMs: 7 });
    const halted = await stages.engine(tx => unfinished(tx, { id: claimed.run.id, agent }));
    expect(halted).toEqual({ kind: 'unfinished', message: `The agent ended its turn, but ${message}` });
  });

  test.each([
    { agent: 'claude', errorClass: null, state: 'completed' },
    // It was told that there is no answer, and has made the best of it.
    { agent: 'claude', errorClass: 'overloaded', state: 'failed' },
    { agent: 'claude', errorClass: 'client_gone', state: 'incomplete' },
    { agent: 'exec', errorClass: 'length', state: 'completed' },
  ] as const)('of $agent that ended by $errorClass is finished', async ({ agent, errorClass, state }) => {
    const claimed = await stages.claimNew();
    await called(claimed, errorClass, { state, firstByteMs: 7 });
    expect(await stages.engine(tx => unfinished(tx, { id: claimed.run.id, agent }))).toBeUndefined();
  });
});

describe('a run that was halted', () => {
  test.each([
    ['recording', 'failed', 'model'],
    ['model', 'failed', 'model'],
    ['blocked', 'waiting', 'blocked'],
  ] as const)('by %s leaves its ticket %s, whatever class the worker names', async (kind, status, failure) => {
    const claimed = await stages.claimNew();
    await halt(claimed, { kind, message: 'because of this' });
    await fail(claimed);
    expect(await stateOf(claimed)).toEqual({ state: 'failed', failure });
    expect(await ticketOf(claimed)).toMatchObject({ status });
    expect((await ticketOf(claimed))?.reason).toContain('because of this');
    await stages.sql(`update tickets set status = 'failed'`);
  });

  test.each(['budget', 'question'] as const)(
    'by a %s is parked, also by a worker that knows only how to fail; said twice it answers the same',
    async kind => {
      for (const end of [park, fail]) {
        const claimed = await stages.claimNew();
        await halt(claimed, { ...spent, kind });
        await end(claimed);
        await end(claimed);
        expect(await stateOf(claimed)).toEqual({ state: 'parked', failure: null });
        expect(await ticketOf(claimed)).toEqual({ status: 'waiting', reason: spent.message });
        expect(await codeOf(runOfToken(stages.database, claimed.runToken))).toBe('unauthenticated');
        await stages.app(tx => cancelTicket(tx, claimed.run.subjectId, { reason: 'no', cascade: false }));
        await stages.drain();
        expect(await stateOf(claimed)).toMatchObject({ state: 'cancelled' });
      }
    },
  );

  test('may not hand its work in as done', async () => {
    const claimed = await stages.claimNew();
    await halt(claimed, spent);
    expect(await codeOf(stages.engine(tx => submitRun(tx, holderOf(claimed), { summary: 'done!' })))).toBe('run_halted');
    await park(claimed);
    await stages.app(tx => cancelTicket(tx, claimed.run.subjectId, { reason: 'no', cascade: false }));
    await stages.drain();
    // As after somebody has decided.
    await stages.sql(`update runs set state = 'returned' where id = $1`, [claimed.run.id]);
    expect(await codeOf(stages.engine(tx => submitRun(tx, holderOf(claimed), { summary: 'done!' })))).toBe('lease_lost');
  });

  test('and then lost makes its ticket wait, and is not tried again', async () => {
    const claimed = await stages.claimNew();
    await halt(claimed, spent);
    await stages.expire(claimed.run.id);
    await stages.engine(tx => loseRun(tx, claimed.run.id, stages.settings));
    expect(await ticketOf(claimed)).toEqual({ status: 'waiting', reason: spent.message });
    await stages.drain();
    expect(await stages.claim()).toBeUndefined();
    await stages.app(tx => cancelTicket(tx, claimed.run.subjectId, { reason: 'no', cascade: false }));
    await stages.drain();
  });

  test('keeps the first reason', async () => {
    const claimed = await stages.claimNew();
    await halt(claimed, { kind: 'model', message: 'no key' });
    await halt(claimed, spent);
    await fail(claimed);
    expect(await ticketOf(claimed)).toMatchObject({ status: 'failed', reason: expect.stringContaining('no key') as string });
  });

  test('and nothing stands in its way, cannot be parked', async () => {
    const claimed = await stages.claimNew();
    expect(await codeOf(park(claimed))).toBe('wrong_state');
    await fail(claimed);
  });
});
