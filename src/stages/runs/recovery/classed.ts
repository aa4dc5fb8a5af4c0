import type { FailureClass } from '../../../../contract/runs.ts';
import type { Tx } from '../../../db/database.ts';
import { lastCallOfRun } from '../../../support/budgets/index.ts';

export interface Classed {
  readonly failureClass: FailureClass;
  readonly message: string;
}

/** An agent whose provider did not answer says only that it failed itself, if it says so much. */
export async function classed(tx: Tx, runId: string, { failureClass, message }: Classed): Promise<Classed> {
  if (failureClass !== 'agent_failed' && failureClass !== 'timeout') return { failureClass, message };
  const [call] = await tx.query(lastCallOfRun, [tx.tenantId, runId]);
  const found = classOfCall[call?.errorClass ?? ''];
  if (call === undefined || found === undefined) return { failureClass, message };
  const words = call.errorClass?.replaceAll('_', ' ');
  const what =
    found === 'quota'
      ? `The provider ${call.provider} says that its limit is used up (${words})`
      : `The provider ${call.provider} did not answer (${words})`;
  return { failureClass: found, message: message === '' ? what : `${what}. ${message}`.slice(0, messageCharactersMax) };
}

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
