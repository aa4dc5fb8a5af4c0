import type { StoredHalt } from '../../stages/runs/index.ts';
import { type Catalog, targetName } from '../model/catalog.ts';
import type { FailureClass } from '../model/failure.ts';
import type { Problem, WireFormat } from '../wires/format.ts';
import type { TargetFailure } from './attempts.ts';
import type { CutKind, Headers } from './types.ts';

export interface Refusal {
  readonly problem: Problem;
  /** The provider's own words, which are given as they are. */
  readonly body: string | null;
  readonly headers: Headers;
}

/** What the client is told of a call that nobody answered. Agents stop on 402 and 403, and come again after 429 and 5xx. */
export function refusalOf(
  { target, failure }: TargetFailure,
  { catalog, format }: { catalog: Catalog; format: WireFormat },
): Refusal {
  const status = failure.body === null ? statusOf(failure.class, format) : (failure.status ?? 400);
  const isAccount = account.has(failure.class);
  const message = isAccount
    ? accountMessage({ target, failure }, catalog)
    : `The model ${targetName(target)} gave no answer: ${failure.message}`;
  const waitS = failure.retryAfterMs === null ? undefined : Math.max(1, Math.ceil(failure.retryAfterMs / 1_000));
  return {
    problem: { status, code: `model_${failure.class}`, message },
    body: failure.body,
    headers: waitS !== undefined && (status === 429 || status >= 500) ? { 'retry-after': String(waitS) } : {},
  };
}

/** Why the run of the call cannot go on: undefined where it may be tried again. */
export function haltOf(failures: readonly TargetFailure[], catalog: Catalog): StoredHalt | undefined {
  const last = failures.at(-1);
  if (last?.failure.class === 'recording') return { kind: 'recording', message: last.failure.message };
  if (failures.length === 0 || !failures.every(({ failure }) => account.has(failure.class))) return undefined;
  return { kind: 'model', message: failures.map(each => accountMessage(each, catalog)).join('. ') };
}

/** Only a person can mend these: the key, or the account behind it. */
const account: ReadonlySet<FailureClass> = new Set(['auth', 'billing', 'spend_limit']);

/** Never with what the provider said: some say the key back. */
function accountMessage({ target, failure }: TargetFailure, catalog: Catalog): string {
  const { provider } = target;
  const variable = catalog.providers.get(provider)?.keyVariable ?? null;
  const status = failure.status === null ? '' : ` (${failure.status})`;
  if (failure.class !== 'auth') {
    return `The account at ${provider} has no credit left, or has reached its own limit${status}: look at its billing${variable === null ? '' : `; its key is in ${variable}`}`;
  }
  return variable === null
    ? `${provider} wants a key for ${target.model}${status}: name the variable that has it as "key_env" in ${catalog.modelsFile}`
    : `${provider} does not accept the key in ${variable} for ${target.model}${status}: check ${variable} in the environment of the server, and start it again`;
}

const statuses: Readonly<Record<FailureClass, number>> = {
  auth: 403,
  billing: 402,
  spend_limit: 402,
  bad_request: 400,
  recording: 422,
  rate_limit: 429,
  overloaded: 503,
  breaker_open: 503,
  server: 502,
  connect: 502,
  cut_off: 502,
  malformed: 502,
  too_large: 502,
  timeout: 504,
};

function statusOf(kind: FailureClass, { overloadedStatus }: WireFormat): number {
  return kind === 'overloaded' ? overloadedStatus : statuses[kind];
}

/** What a client is told whose call was ended from here; whoever is gone is told nothing. */
export const cutProblems: Readonly<Record<Exclude<CutKind, 'client_gone'>, Problem>> = {
  lease_lost: {
    status: 401,
    code: 'lease_lost',
    message: 'The run token is not valid any more: the run is over, or was taken from its worker',
  },
  total_time: { status: 504, code: 'model_timeout', message: 'The answer was not whole after 30 minutes' },
  stopping: { status: 503, code: 'shutting_down', message: 'The server is shutting down' },
};
