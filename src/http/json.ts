import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { Fault } from '../kernel/fault.ts';
import { locateJsonFault } from '../kernel/json.ts';

/** JSON bodies: an empty one is no body; what is not JSON is refused with its line and column, and what is not UTF-8 with its byte. */
export function acceptJson(app: FastifyInstance, bytesMax: number): void {
  app.removeAllContentTypeParsers();
  // The framework's own parser refuses __proto__ and constructor.prototype.
  const parseSafely = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: bytesMax }, (request, body, done) => {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const text = bytes.toString('utf8');
    if (!isUtf8(bytes)) {
      done(notUtf8(bytes, Buffer.from(text)));
      return;
    }
    if (text.trim() === '') {
      done(null, undefined);
      return;
    }
    void parseSafely(request, text, (error, value) => done(error === null ? null : explain(text, error), value));
  });
}

/** Node puts a character of its own in the place of what is none: there the two begin to differ. */
function notUtf8(bytes: Buffer, decoded: Buffer): Fault {
  const at = bytes.findIndex((byte, index) => byte !== decoded[index]);
  return new Fault('invalid_json', { message: `The body is not valid UTF-8: byte ${at + 1}`, hint: 'JSON is sent as UTF-8' });
}

function explain(text: string, error: unknown): Fault {
  if (isJson(text)) return new Fault('invalid_json', { message: error instanceof Error ? error.message : 'The body is refused' });
  const { line, column, reason } = locateJsonFault(text);
  return new Fault('invalid_json', {
    message: `The body is not valid JSON: line ${line}, column ${column}: ${reason}`,
    facts: { line, column },
  });
}

/** The parser refuses more than what is not JSON: names that would reach into prototypes. */
function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
