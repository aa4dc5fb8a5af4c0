import { fieldsOf, listOf, parseJson, shortened, textOf } from './json.ts';

/** Why a call did not get its answer. What is done about it follows from the class alone. */
export type FailureClass =
  /** 401, 403: the key is not accepted. */
  | 'auth'
  /** 402, or words that mean it: the account has no credit. */
  | 'billing'
  /** The request itself is refused: nobody else would take it either. */
  | 'bad_request'
  | 'rate_limit'
  /** A 429 that waiting does not end: the account's own limit of money. */
  | 'spend_limit'
  | 'overloaded'
  | 'server'
  | 'timeout'
  | 'connect'
  | 'cut_off'
  /** The answer is not one of the wire. */
  | 'malformed'
  | 'too_large'
  /** Too many failures in a row: it is not asked at all for a while. */
  | 'breaker_open'
  /** A recording does not fit what happened. */
  | 'recording';

export interface Failure {
  readonly class: FailureClass;
  /** Of the provider's answer; null where there was none. */
  readonly status: number | null;
  readonly message: string;
  /** What the provider asks to wait. */
  readonly retryAfterMs: number | null;
  /** The provider's own words, in the wire's own shape, where they are for the client. */
  readonly body: string | null;
}

export function failure(kind: FailureClass, message: string, more: Partial<Failure> = {}): Failure {
  return { class: kind, status: null, retryAfterMs: null, body: null, message, ...more };
}

/** The header by which a recording says that it does not fit. */
const mismatchHeader = 'skep-recording-mismatch';

interface Refusal {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly retryAfterMs: number | null;
}

/** Of an answer whose status is not 2xx. */
export function failureOfAnswer({ status, headers, body, retryAfterMs }: Refusal): Failure {
  const said = fieldsOf(fieldsOf(parseJson(body))?.['error']) ?? {};
  const message = shortened(textOf(said['message']) ?? `it answered ${status}`);
  const kind = classOfStatus(status, [message, ...codesOf(said)].join(' '), headers);
  const isForClient = kind === 'bad_request' || kind === 'recording';
  return {
    class: kind,
    status,
    message,
    retryAfterMs: retryAfterMs ?? retryDelayOf(said),
    body: isForClient && parseJson(body) !== undefined ? body : null,
  };
}

/** Of an error that stands in an answer whose status was 200. */
export function failureOfError(error: unknown): Failure {
  const said = fieldsOf(error) ?? {};
  const message = shortened(textOf(said['message']) ?? textOf(error) ?? 'it sent an error');
  const words = codesOf(said);
  const code = [said['code'], said['status']].find(value => typeof value === 'number' && value >= 400 && value < 600);
  const kind =
    typeof code === 'number' ? classOfStatus(code, [message, ...words].join(' '), {}) : classOfWords(words.join(' '), message);
  return failure(kind, message, { retryAfterMs: retryDelayOf(said) });
}

function classOfStatus(status: number, words: string, headers: Readonly<Record<string, string>>): FailureClass {
  if (status === 422 && headers[mismatchHeader] !== undefined) return 'recording';
  if (status === 402) return 'billing';
  if (status === 401 || status === 403) return 'auth';
  if (status === 429) return spent.test(words) ? 'spend_limit' : 'rate_limit';
  if (status === 408) return 'timeout';
  if (status === 503 || status === 529) return 'overloaded';
  if (status >= 500) return 'server';
  if (status >= 400) return noCredit.test(words) ? 'billing' : badKey.test(words) ? 'auth' : 'bad_request';
  // A redirect is never followed: it would take the key along.
  return 'malformed';
}

function classOfWords(words: string, message: string): FailureClass {
  return spent.test(`${words} ${message}`) ? 'spend_limit' : (classes.find(([pattern]) => pattern.test(words))?.[1] ?? 'server');
}

const spent = /insufficient_quota|billing_hard_limit|billing_not_active|spend(ing)?[ _](limit|cap)|credit balance|usage limits/i;
const noCredit = /credit balance is too low|usage limits|billing_not_active/i;
const badKey = /API_KEY_INVALID|api key not valid|invalid_api_key/i;

const classes: readonly (readonly [RegExp, FailureClass])[] = [
  [/overloaded|UNAVAILABLE|slow_down/, 'overloaded'],
  [/rate_limit|RESOURCE_EXHAUSTED|too_many_requests/, 'rate_limit'],
  [/billing/, 'billing'],
  [/authentication|permission|UNAUTHENTICATED|PERMISSION_DENIED|invalid_api_key/, 'auth'],
  [/timeout|DEADLINE_EXCEEDED/, 'timeout'],
  [
    /invalid_request|not_found|too_large|INVALID_ARGUMENT|FAILED_PRECONDITION|context_length|invalid_prompt|content_policy/,
    'bad_request',
  ],
];

function codesOf(said: Readonly<Record<string, unknown>>): readonly string[] {
  const reasons = listOf(said['details']).map(detail => fieldsOf(detail)?.['reason']);
  return [said['type'], said['code'], said['status'], ...reasons].filter(value => typeof value === 'string');
}

/** Gemini says in the body what others say in a header: `"retryDelay": "34s"`. */
function retryDelayOf(said: Readonly<Record<string, unknown>>): number | null {
  const delay = listOf(said['details'])
    .map(detail => textOf(fieldsOf(detail)?.['retryDelay']))
    .find(text => text !== undefined);
  const [, seconds] = /^(\d{1,6}(?:\.\d+)?)s$/.exec(delay ?? '') ?? [];
  return seconds === undefined ? null : Math.ceil(Number(seconds) * 1_000);
}
