import type { FastifyInstance } from 'fastify';
import { Fault } from '../kernel/fault.ts';
import { locateJsonFault } from '../kernel/json.ts';

/** JSON bodies: an empty one is no body, and what is not JSON is refused with its line and column. */
export function acceptJson(app: FastifyInstance, bytesMax: number): void {
  app.removeAllContentTypeParsers();
  // The framework's own parser refuses __proto__ and constructor.prototype.
  const parseSafely = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string', bodyLimit: bytesMax }, (request, body, done) => {
    const text = String(body);
    if (text.trim() === '') {
      done(null, undefined);
      return;
    }
    void parseSafely(request, text, (error, value) => done(error === null ? null : explain(text, error), value));
  });
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
