import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { Fault, type FaultCode } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';

const faultHeader = 'skep-fault';

/** Codes of fastify itself that are the client's doing. */
const frameworkFaults: Readonly<Record<string, FaultCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
};

const issuesMax = 50;

/** The one place where a refusal becomes an answer: `{error, hint?, …facts}`, the status of the table, the code in a header. */
export function answerFaults(log: Log): (error: unknown, request: FastifyRequest, reply: FastifyReply) => void {
  return (error, request, reply) => {
    const fault = toFault(error, request);
    const where = { request: request.id, method: request.method, route: request.routeOptions.url };
    if (fault === undefined) {
      log.error({ ...where, error: stackOf(error) }, 'a request failed');
      send(reply, new Fault('internal', { hint: 'The log of the server says more', facts: { request_id: request.id } }));
      return;
    }
    if (fault.kind.status >= 500)
      log.warn({ ...where, code: fault.code, error: stackOf(fault.cause ?? fault) }, 'a request was refused');
    send(reply, fault);
  };
}

function send(reply: FastifyReply, fault: Fault): void {
  const { status, retry } = fault.kind;
  reply.code(status).header(faultHeader, fault.code).header('content-type', 'application/json; charset=utf-8');
  if (retry && status === 503) reply.header('retry-after', '1');
  reply
    .serializer(JSON.stringify)
    .send({ error: fault.message, ...(fault.hint === undefined ? {} : { hint: fault.hint }), ...fault.facts });
}

function toFault(error: unknown, { routeOptions }: FastifyRequest): Fault | undefined {
  if (error instanceof Fault) return error;
  if (hasZodFastifySchemaValidationErrors(error)) return validationFault(error);
  const code = error instanceof Error && 'code' in error ? frameworkFaults[String(error.code)] : undefined;
  if (code === 'too_large')
    return new Fault(code, {
      message: `The body is too large: this route takes at most ${routeOptions.bodyLimit} bytes at once`,
    });
  if (code !== undefined) return new Fault(code, { message: (error as FastifyError).message });
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 500;
  return status >= 400 && status < 500 ? new Fault('invalid_request', { message: (error as Error).message }) : undefined;
}

type ValidationError = FastifyError & {
  validation: readonly { instancePath: string; message?: string | undefined }[];
  validationContext?: string;
};

function validationFault(error: unknown): Fault {
  const { validation, validationContext } = error as ValidationError;
  const issues = validation
    .slice(0, issuesMax)
    .map(({ instancePath, message }) => ({ path: readable(instancePath), message: message ?? '' }));
  const first = issues[0];
  const where = first === undefined || first.path === '' ? (validationContext ?? 'request') : first.path;
  return new Fault('invalid_request', { message: `${where}: ${first?.message ?? 'not valid'}`, facts: { issues } });
}

/** `/features/3/title` as people write it: `features[3].title`. */
function readable(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, part) => (/^\d+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`), '');
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
