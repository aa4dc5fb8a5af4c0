import { codingAgents } from '../../../../contract/projects.ts';
import type { FailureClass } from '../../../../contract/runs.ts';
import type { Tx } from '../../../db/database.ts';
import { type LastCall, lastCallOfRun } from '../../../support/budgets/index.ts';
import type { RunRow, StoredHalt } from '../runs.sql.ts';

export interface Classed {
  readonly failureClass: FailureClass;
  readonly message: string;
}

/** An agent whose provider did not answer says only that it failed itself, if it says so much. */
export async function classed(tx: Tx, runId: string, { failureClass, message }: Classed): Promise<Classed> {
  if (failureClass !== 'agent_failed' && failureClass !== 'timeout') return { failureClass, message };
  const [call] = await tx.query(lastCallOfRun, [tx.tenantId, runId]);
  const found = classOfCall[call?.errorClass ?? ''];
  if (call === undefined) return { failureClass, message };
  if (found === undefined)
    return {
      failureClass,
      message: failureClass === 'timeout' ? message : `${refusalOf(call)}${message}`.slice(0, messageCharactersMax),
    };
  const words = call.errorClass?.replaceAll('_', ' ');
  const what =
    found === 'quota'
      ? `The provider ${call.provider} says that its limit is used up (${words})`
      : `The provider ${call.provider} did not answer (${words})`;
  return { failureClass: found, message: message === '' ? what : `${what}. ${message}`.slice(0, messageCharactersMax) };
}

/** Some agents put words of their own in the place of the provider's. */
function refusalOf({ provider, status, errorClass }: LastCall): string {
  return errorClass === 'bad_request' && status !== null
    ? `The provider ${provider} refused what it was asked (${status}). `
    : '';
}

/**
 * Why the turn of an agent that says to be done is not: its model's last answer broke off, or ended before it was finished, and some
 * agents take that for the end. Undefined where it is done, and for a program that asks models for what only its author knows.
 */
export async function unfinished(tx: Tx, { id, agent }: Pick<RunRow, 'id' | 'agent'>): Promise<StoredHalt | undefined> {
  if (agent === null || !turnsOf.has(agent)) return undefined;
  const [call] = await tx.query(lastCallOfRun, [tx.tenantId, id]);
  if (call === undefined) return undefined;
  const isBroken = call.state === 'incomplete' && classOfCall[call.errorClass ?? ''] !== undefined;
  const message = isBroken ? 'the last answer of its model broke off' : shortAnswers[call.errorClass ?? ''];
  return message === undefined ? undefined : { kind: 'unfinished', message: `The agent ended its turn, but ${message}` };
}

/** Whose turn ends with an answer of the model. */
const turnsOf: ReadonlySet<string> = new Set([...codingAgents, 'acp']);

/** As src/gateway/wires/format.ts names them. */
const shortAnswers: Readonly<Partial<Record<string, string>>> = {
  length: 'the last answer of its model reached its limit',
  refusal: 'its model refused to go on',
};

const messageCharactersMax = 4_000;

/** Ends of a call that say nothing about the agent, as src/gateway/model/failure.ts names them. */
const classOfCall: Readonly<Partial<Record<string, 'provider' | 'quota'>>> = {
  rate_limit: 'provider',
  overloaded: 'provider',
  server: 'provider',
  timeout: 'provider',
  connect: 'provider',
  cut_off: 'provider',
  malformed: 'provider',
  breaker_open: 'provider',
  spend_limit: 'quota',
  billing: 'quota',
};
