import { errorBody } from '../../contract/fields.ts';
import { Fault, faults } from '../kernel/fault.ts';
import type { FaultCode } from '../kernel/fault.ts';

/** The Fault behind a refusal: by the header where this version knows the code, otherwise by the status. */
export function faultOfAnswer(answer: Pick<Response, 'status' | 'headers'>, text: string): Fault {
  const code = knownCode(answer.headers.get('skep-fault')) ?? codeOfStatus(answer.status);
  const body = errorBody.safeParse(jsonOf(text));
  if (!body.success) {
    return new Fault(code, { message: `${faults[code].text} (HTTP ${answer.status})`, facts: { status: answer.status } });
  }
  const { error, hint, ...facts } = body.data;
  return new Fault(code, { message: error, facts, ...(hint === undefined ? {} : { hint }) });
}

/** What fetch threw as a Fault. What is a Fault already stays as it is. */
export function faultOfNetwork(error: unknown, at: { server: string; timeoutMs: number; timedOut: boolean }): Fault {
  if (error instanceof Fault) return error;
  if (at.timedOut) return new Fault('server_unavailable', { message: `${at.server} did not answer within ${at.timeoutMs} ms` });
  if (error instanceof SyntaxError) {
    return new Fault('unknown_answer', {
      message: `What answers at ${at.server} sends no JSON: it may not be a Skep server`,
      cause: error,
    });
  }
  return new Fault('server_unavailable', { message: `${at.server} does not answer (${reason(error)})`, cause: error });
}

/** A URL that may be shown. */
export function withoutLogin(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}

function knownCode(header: string | null): FaultCode | undefined {
  return header !== null && Object.hasOwn(faults, header) ? (header as FaultCode) : undefined;
}

function codeOfStatus(status: number): FaultCode {
  // Proxies and busy servers answer these: the same call can succeed later.
  if (status === 408 || status === 429 || status === 502 || status === 503 || status === 504) return 'server_unavailable';
  const known = statusCodes[status];
  if (known !== undefined) return known;
  return status >= 500 ? 'internal' : 'invalid_request';
}

const statusCodes: Readonly<Record<number, FaultCode>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'route_not_found',
  409: 'wrong_state',
  413: 'too_large',
  415: 'unsupported_media_type',
  507: 'disk_full',
};

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function reason(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) return (cause as NodeJS.ErrnoException).code ?? cause.message;
  return error instanceof Error ? error.message : String(error);
}
