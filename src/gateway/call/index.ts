import { failpoint } from '../../kernel/failpoint.ts';
import { isFault } from '../../kernel/fault.ts';
import type { StoredHalt } from '../../stages/runs/index.ts';
import type { Reservation, Reserved } from '../ledger.ts';
import type { Problem } from '../wires/format.ts';
import { findAnswer, type Found } from './attempts.ts';
import { type End, passedHeaders, passOn } from './pass.ts';
import { type Plan, planCall, reservedTarget } from './plan.ts';
import { cutProblems, haltOf, refusalOf } from './problems.ts';
import { createTally, type Tally } from './tally.ts';
import { type Asked, type CallParts, type Client, Cut, cutOf, type Headers } from './types.ts';

/**
 * One call of a model: its cost is reserved, the targets are asked in their order, what comes is passed on, and what was used is settled,
 * once, whatever happens. Throws Fault for what cannot be asked at all, and nothing once the client has been told something.
 */
export async function answerCall(parts: CallParts, asked: Asked, { client, signal }: Waiting): Promise<void> {
  const plan = await planOrHalt(parts, asked);
  if (asked.operation === 'count') return answerCount(parts, plan, { client, signal });
  const spent = limitReached(asked.run);
  if (spent !== undefined) {
    await parts.halt(asked.run, { kind: 'limit', message: spent });
    return tell(client, plan, { status: 403, code: 'run_limit', message: spent });
  }
  const reserved = await reserve(parts, plan, signal);
  if (reserved instanceof Cut) return tellCut(reserved, plan, client);
  if (reserved.kind !== 'granted') return refuse(parts, plan, { client, reserved });
  failpoint('call-reserved');
  const { clock } = parts;
  const tally = createTally(plan, { first: reservedTarget(plan), outputTokens: reserved.outputTokens, clock });
  const startedAt = clock.mono();
  let firstByteMs: number | null = null;
  let end: End = { state: 'failed', status: null, errorClass: 'internal', finish: () => tell(client, plan, internal) };
  try {
    const outputTokens = Math.max(1, Math.floor(reserved.outputTokens / plan.fields.choices));
    const onFirstByte = (): void => void (firstByteMs ??= Math.round(clock.mono() - startedAt));
    end = await converse(parts, plan, { client, signal, tally, outputTokens, onFirstByte });
  } catch (error) {
    if (!(error instanceof Cut))
      parts.log.error({ error: stackOf(error), run: asked.run.runId }, 'a call of a model failed inside the gateway');
    else end = { state: 'failed', status: null, errorClass: error.kind, finish: () => tellCut(error, plan, client) };
  }
  failpoint('call-sent');
  await settle(parts, plan, { callId: reserved.callId, end, tally, firstByteMs });
  failpoint('call-settled');
  end.finish();
}

/** What a template allows a run is used up. Calls that are under way together may go a little beyond it. */
function limitReached({ turnsMax, turns, tokensMax, tokens }: Asked['run']): string | undefined {
  const allowed = 'which is as much as its template allows';
  if (turnsMax !== null && turns >= turnsMax) return `The run has asked its model ${turns} times, ${allowed} (limits.turns_max)`;
  if (tokensMax !== null && tokens >= tokensMax) return `The run has used ${tokens} tokens, ${allowed} (limits.tokens_max)`;
  return undefined;
}

export interface Waiting {
  readonly client: Client;
  /** Aborted with a Cut, when the client is gone or the call must end. */
  readonly signal: AbortSignal;
}

/** Who names the model that its own run is set to, and cannot have it, would fail the same way each time. */
async function planOrHalt(parts: CallParts, asked: Asked): Promise<Plan> {
  try {
    return planCall(parts.catalog, asked);
  } catch (error) {
    if (asked.run.model === asked.model && (isFault(error, 'unknown_model') || isFault(error, 'no_model'))) {
      await parts.halt(asked.run, { kind: 'model', message: [error.message, error.hint].filter(Boolean).join('. ') });
    }
    throw error;
  }
}

async function reserve(parts: CallParts, plan: Plan, signal: AbortSignal): Promise<Reserved | Cut> {
  const { asked, fields, inputTokens, price } = plan;
  const target = reservedTarget(plan);
  const wanted: Reservation = {
    run: asked.run,
    wire: asked.wire,
    ...target,
    isRecorded: parts.upstreams.get(target.provider)?.isRecorded ?? false,
    inputTokens,
    outputTokens: plan.outputTokens * fields.choices,
    outputTokensMin: Math.min(plan.outputTokens, fields.outputTokensMin) * fields.choices,
    price,
  };
  try {
    return await parts.ledger.reserve(wanted, signal);
  } catch (error) {
    if (signal.aborted) return cutOf(signal);
    throw error;
  }
}

/** The accounts do not allow it. */
async function refuse(
  parts: CallParts,
  { format, asked }: Plan,
  { client, reserved }: { client: Client; reserved: Exclude<Reserved, { kind: 'granted' }> },
): Promise<void> {
  const tell = (status: number, code: string, headers: Headers = {}): void =>
    client.answer(status, { ...json, ...headers }, JSON.stringify(format.errorBody({ status, code, message: reserved.message })));
  switch (reserved.kind) {
    case 'spent':
      await parts.halt(asked.run, { kind: 'budget', message: reserved.message, questionId: reserved.questionId });
      return tell(402, 'budget_spent');
    case 'busy':
      return tell(429, 'budget_busy', { 'retry-after': String(busyRetryS) });
    case 'unpriced':
      return tell(422, 'model_without_price');
  }
}

/** It has already waited as long as reservations wait. */
const busyRetryS = 5;
const json: Headers = { 'content-type': 'application/json; charset=utf-8' };

interface Conversation extends Waiting {
  readonly tally: Tally;
  readonly outputTokens: number | null;
  readonly onFirstByte: () => void;
}

async function converse(parts: CallParts, plan: Plan, conversation: Conversation): Promise<End> {
  const { client, signal, tally, outputTokens, onFirstByte } = conversation;
  const found = await findAnswer(parts, { plan, tally, signal, outputTokens });
  if (!found.ok) return giveUp(parts, plan, { found, client });
  const { opened } = found;
  if (opened.kind === 'stream') return passOn(parts, { plan, opened, tally, client, signal, onFirstByte });
  onFirstByte();
  tally.whole(opened.reader);
  const { status, headers, bytes } = opened;
  return {
    state: 'completed',
    status,
    errorClass: opened.reader.short() ?? null,
    finish: () => client.answer(status, { ...json, ...passedHeaders(headers) }, bytes),
  };
}

async function giveUp(
  parts: CallParts,
  plan: Plan,
  { found, client }: { found: Extract<Found, { ok: false }>; client: Client },
): Promise<End> {
  const last = found.failures.at(-1);
  if (last === undefined) throw new Error('a call that failed without a failure');
  const halt = haltOf(found.failures, parts.catalog);
  if (halt !== undefined && isOfRun(plan.asked, halt)) await parts.halt(plan.asked.run, halt);
  const { problem, body, headers } = refusalOf(last, { catalog: parts.catalog, format: plan.format });
  return {
    state: 'failed',
    status: last.failure.status,
    errorClass: last.failure.class,
    finish: () => client.answer(problem.status, { ...json, ...headers }, body ?? JSON.stringify(plan.format.errorBody(problem))),
  };
}

/** An agent that tries another model than its own, and has no key for that, can go on with its own. */
function isOfRun({ run, model }: Asked, { kind }: StoredHalt): boolean {
  return kind !== 'model' || run.model === null || run.model === model;
}

function tellCut({ kind }: Cut, plan: Plan, client: Client): void {
  if (kind === 'client_gone') return client.cut();
  tell(client, plan, cutProblems[kind]);
}

const internal: Problem = {
  status: 500,
  code: 'internal',
  message: 'Something failed inside the gateway: the log of the server says more',
};

function tell(client: Client, { format }: Plan, problem: Problem): void {
  client.answer(problem.status, json, JSON.stringify(format.errorBody(problem)));
}

/** To count tokens costs nothing at any provider, so that it is neither reserved nor settled. */
async function answerCount(parts: CallParts, plan: Plan, { client, signal }: Waiting): Promise<void> {
  const tally = createTally(plan, { first: reservedTarget(plan), outputTokens: 0, clock: parts.clock });
  try {
    (await converse(parts, plan, { client, signal, tally, outputTokens: null, onFirstByte() {} })).finish();
  } catch (error) {
    if (!(error instanceof Cut)) throw error;
    tellCut(error, plan, client);
  }
}

interface Settling {
  readonly callId: string;
  readonly end: End;
  readonly tally: Tally;
  readonly firstByteMs: number | null;
}

/** Before the client sees the end: whoever has seen it finds the accounts right. */
async function settle(parts: CallParts, { asked }: Plan, { callId, end, tally, firstByteMs }: Settling): Promise<void> {
  const { target, attempts, usage, costMicroUsd } = tally.sum();
  const { state, status, errorClass } = end;
  try {
    const { tenantId } = asked.run;
    await parts.ledger.settle(callId, {
      tenantId,
      state,
      status,
      errorClass,
      attempts,
      ...target,
      usage,
      costMicroUsd,
      firstByteMs,
    });
  } catch (error) {
    parts.log.error({ error: stackOf(error), callId, usage, costMicroUsd }, 'a call of a model could not be settled');
  }
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
