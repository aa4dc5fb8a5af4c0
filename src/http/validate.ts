import type { FastifySchemaCompiler } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import { Fault } from '../kernel/fault.ts';

/** Checks what came in, of whatever part of a request: first what no field may hold, then the route's own schema. */
export const compileValidator: FastifySchemaCompiler<z.ZodType> = route => {
  const validate = validatorCompiler(route) as (data: unknown) => { error?: Error };
  return data => {
    if (isBytes(data)) return { error: new Fault('unsupported_media_type', { hint: jsonHint }) };
    const finding = findUnstorable(data);
    if (finding !== undefined) return { error: unstorable(finding, route.httpPart) };
    // The framework says null where there is no body.
    const judged = validate(data ?? undefined);
    if (data === null && route.httpPart === 'body' && judged.error !== undefined)
      return { error: new Fault('invalid_request', { message: 'The body is missing', hint: jsonHint }) };
    return judged;
  };
};

const jsonHint = 'Send JSON, with the header "Content-Type: application/json"';

function isBytes(data: unknown): boolean {
  return (
    Buffer.isBuffer(data) || (typeof data === 'object' && data !== null && 'pipe' in data && typeof data.pipe === 'function')
  );
}

interface Finding {
  readonly path: string;
  readonly message: string;
}

function unstorable(finding: Finding, part = 'request'): Fault {
  const where = finding.path === '' ? part : finding.path;
  return new Fault('invalid_request', { message: `${where}: ${finding.message}`, facts: { issues: [finding] } });
}

/** No body of ours has a tenth of it; what is deeper would overflow the stack of whoever writes it out again. */
const depthMax = 64;

/**
 * What the database cannot keep, and would refuse only later or silently change: NUL, half a surrogate pair, numbers beyond what a
 * double holds. Without recursion, since depth is one of the things that it refuses.
 */
function findUnstorable(value: unknown): Finding | undefined {
  const waiting: { value: unknown; path: string; depth: number }[] = [{ value, path: '', depth: 0 }];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { value, path, depth } = next;
    const message =
      typeof value === 'object' && depth > depthMax ? `is nested deeper than ${depthMax} levels` : whyUnstorable(value);
    if (message !== undefined) return { path, message };
    if (Array.isArray(value))
      value.forEach((item, index) => waiting.push({ value: item, path: `${path}[${index}]`, depth: depth + 1 }));
    else if (typeof value === 'object' && value !== null) {
      for (const [key, field] of Object.entries(value)) {
        const why = whyUnstorable(key);
        if (why !== undefined) return { path, message: `the name of a field ${why}` };
        waiting.push({ value: field, path: path === '' ? key : `${path}.${key}`, depth: depth + 1 });
      }
    }
  }
  return undefined;
}

function whyUnstorable(value: unknown): string | undefined {
  if (typeof value === 'number' && !Number.isFinite(value)) return 'is a number too large';
  if (typeof value !== 'string') return undefined;
  if (value.includes('\0')) return 'has the character U+0000, which cannot be stored';
  return /\p{Surrogate}/u.test(value) ? 'has half of a surrogate pair, which is no character' : undefined;
}
