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
  refuseMarks(bytes);
  const text = decode(bytes);
  const fields = fieldsOf(parse(text));
  if (fields === undefined) throw new Fault('invalid_request', { message: 'The body is not a JSON object' });
  return fields;
}

/** Values of a body. A conversation of a day has some 100,000; to read ten million takes this one thread many seconds. */
const valuesMax = 500_000;

/** Counts commas and opening brackets outside of texts, which is quick, before it is read, which is not. */
function refuseMarks(bytes: Buffer): void {
  if (bytes.length <= valuesMax) return;
  let marks = 0;
  let isText = false;
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === backslash) i++;
    else if (byte === quote) isText = !isText;
    else if (!isText && (byte === comma || byte === bracket || byte === brace)) marks++;
  }
  if (marks > valuesMax) throw new Fault('invalid_request', { message: `The body has more than ${valuesMax} values` });
}

const [quote, comma, bracket, backslash, brace] = [0x22, 0x2c, 0x5b, 0x5c, 0x7b];

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Fault('invalid_json', { message: 'The body is not valid UTF-8' });
  }
}

const locatedLengthMax = 1_048_576;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // To look for the place takes longer than to read it all.
    if (text.length > locatedLengthMax) throw new Fault('invalid_json', { message: 'The body is not valid JSON' });
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
