import type { FastifyInstance } from 'fastify';
import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import { Fault } from '../kernel/fault.ts';

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

/** Where JSON stops being JSON: 1-based line and column, and why. */
export function locateJsonError(text: string): { line: number; column: number; why: string } | undefined {
  const errors: ParseError[] = [];
  parse(text, errors, { disallowComments: true, allowTrailingComma: false });
  const first = errors[0];
  if (first === undefined) return undefined;
  const before = text.slice(0, first.offset).split('\n');
  const why = printParseErrorCode(first.error).replace(/([a-z])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`);
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1, why };
}

function explain(text: string, error: unknown): Fault {
  const place = locateJsonError(text);
  if (place === undefined)
    return new Fault('invalid_json', { message: error instanceof Error ? error.message : 'The body is not valid JSON' });
  return new Fault('invalid_json', {
    message: `The body is not valid JSON: line ${place.line}, column ${place.column}: ${place.why}`,
    facts: { line: place.line, column: place.column },
  });
}
