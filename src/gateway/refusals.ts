import { Fault } from '../kernel/fault.ts';
import type { Problem } from './wires/format.ts';

/** A refusal, or a failure, as the problem that a client is told; of a failure it says nothing more. */
export function problemOfError(error: unknown): { problem: Problem; headers: Readonly<Record<string, string>> } {
  if (error instanceof Fault) {
    const { status, retry } = error.kind;
    const message = [error.message, error.hint].filter(text => text !== undefined).join('. ');
    return {
      problem: { status, code: error.code, message },
      headers: retry && (status === 429 || status === 503) ? { 'retry-after': '1' } : {},
    };
  }
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return { problem: { status: 413, code: 'too_large', message: 'The body has more than 32 MiB' }, headers: {} };
  }
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return {
      problem: {
        status: statusCode,
        code: 'invalid_request',
        message: error instanceof Error ? error.message : 'The request is not valid',
      },
      headers: {},
    };
  }
  return {
    problem: { status: 500, code: 'internal', message: 'Something failed inside the gateway: the log of the server says more' },
    headers: {},
  };
}
