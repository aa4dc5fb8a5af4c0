import { UpstreamError, type UpstreamFailure } from '../../../gateway/upstream.ts';

/** What went wrong on the way, by the codes of undici and of Node. Never with the request in it. */
export function explain(error: unknown): UpstreamError {
  if (error instanceof UpstreamError) return error;
  const code = codeOf(error);
  const [failure, message] =
    known[code] ?? (/^(ERR_TLS|CERT|SELF_SIGNED|UNABLE_TO|DEPTH_ZERO|ERR_SSL)/.test(code) ? badTls : lost);
  return new UpstreamError(failure, code === '' ? message : `${message} (${code})`);
}

/** Several addresses that all failed come as one error with the errors of each in it. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return '';
  const { code, cause } = error as Error & { code?: unknown };
  if (typeof code === 'string') return code;
  const [first] = error instanceof AggregateError ? (error.errors as readonly unknown[]) : [cause];
  return first === undefined ? '' : codeOf(first);
}

const lost: readonly [UpstreamFailure, string] = ['cut_off', 'the connection was lost'];
const badTls: readonly [UpstreamFailure, string] = ['connect', 'its certificate is not accepted'];

const known: Readonly<Record<string, readonly [UpstreamFailure, string]>> = {
  ECONNREFUSED: ['connect', 'nobody listens there'],
  ENOTFOUND: ['connect', 'its name is not known'],
  EAI_AGAIN: ['connect', 'its name cannot be looked up now'],
  EHOSTUNREACH: ['connect', 'it cannot be reached'],
  ENETUNREACH: ['connect', 'its network cannot be reached'],
  ETIMEDOUT: ['connect', 'it did not take the connection in time'],
  UND_ERR_CONNECT_TIMEOUT: ['connect', 'it did not take the connection in time'],
  UND_ERR_HEADERS_TIMEOUT: ['first_byte', 'it did not begin to answer in time'],
  UND_ERR_BODY_TIMEOUT: ['between_bytes', 'it stopped in the middle of its answer'],
  UND_ERR_HEADERS_OVERFLOW: ['too_large', 'the head of its answer is too large'],
};
