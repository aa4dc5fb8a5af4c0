import type { IncomingHttpHeaders } from 'node:http';
import { Fault } from '../kernel/fault.ts';
import { locateJsonFault } from '../kernel/json.ts';
import { type Fields, fieldsOf } from './model/json.ts';

const bearer = /^Bearer ([\w.~+/-]{1,200}=*)$/i;
const plain = /^[\w.~+/-]{1,200}=*$/;

/** The run token, where each wire's clients put their key; never the URL, which is logged. Throws Fault `unauthenticated`. */
export function tokenOf(headers: IncomingHttpHeaders): string {
  const keys = [headers['x-api-key'], headers['x-goog-api-key']].map(value =>
    typeof value === 'string' && plain.test(value) ? value : undefined,
  );
  const token = bearer.exec(headers.authorization ?? '')?.[1] ?? keys.find(value => value !== undefined);
  if (token !== undefined) return token;
  throw new Fault('unauthenticated', {
    message: 'A run token is needed',
    hint: 'Send the value of SKEP_RUN_TOKEN as "Authorization: Bearer TOKEN", "x-api-key" or "x-goog-api-key"',
  });
}

/** Throws Fault `invalid_json` or `invalid_request` for what is no JSON object in UTF-8. */
export function readBody(body: unknown): Fields {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
  const text = decode(bytes);
  const fields = fieldsOf(parse(text));
  if (fields === undefined) throw new Fault('invalid_request', { message: 'The body is not a JSON object' });
  return fields;
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Fault('invalid_json', { message: 'The body is not valid UTF-8' });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const { line, column, reason } = locateJsonFault(text);
    throw new Fault('invalid_json', { message: `The body is not valid JSON: line ${line}, column ${column}: ${reason}` });
  }
}

/** Which of the client's headers go on to the provider: those that say which version of a wire it speaks. No header chooses anything else. */
export function passedHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  return Object.fromEntries(
    passed.flatMap(name => {
      const value = headers[name];
      return typeof value === 'string' && /^[\x20-\x7e]{1,1000}$/.test(value) ? [[name, value]] : [];
    }),
  );
}

const passed = ['anthropic-version', 'anthropic-beta', 'openai-beta'];
