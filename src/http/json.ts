import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { Fault } from '../kernel/fault.ts';
import { locateJsonFault } from '../kernel/json.ts';

export const jsonLinesType = 'application/x-ndjson';

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
    void parseSafely(request, text, (error, value) => done(error === null ? null : explain(text), value));
  });
  acceptJsonLines(app, parseSafely);
}

/** Of one body. */
const linesMax = 10_000;

/**
 * JSON lines, each with its end, so that one body can follow another in a stream: how many bytes they are, and their values. The routes
 * that take them have small limits.
 */
function acceptJsonLines(app: FastifyInstance, parseSafely: ReturnType<FastifyInstance['getDefaultJsonParser']>): void {
  app.addContentTypeParser(jsonLinesType, { parseAs: 'buffer' }, (request, body, done) => {
    if (request.routeOptions.config.takes !== jsonLinesType) {
      done(new Fault('unsupported_media_type', { hint: 'Send the body as application/json' }));
      return;
    }
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const lines = bytes.toString('utf8').split('\n');
    const rest = lines.pop();
    let fault = isUtf8(bytes) ? undefined : notUtf8(bytes, Buffer.from(bytes.toString('utf8')));
    if (rest !== '')
      fault ??= new Fault('invalid_json', { message: 'The last line has no end', hint: 'End each with a line feed' });
    if (lines.length > linesMax) fault ??= new Fault('too_large', { message: `A body has at most ${linesMax} lines` });
    const values: unknown[] = [];
    for (const [index, line] of lines.entries()) {
      if (fault !== undefined) break;
      // It calls back before it returns.
      void parseSafely(request, line, (error, value) => {
        if (error === null) values.push(value);
        else fault = explain(line, index + 1);
      });
    }
    done(fault ?? null, fault === undefined ? { bytes: bytes.length, lines: values } : undefined);
  });
}

/** Node puts a character of its own in the place of what is none: there the two begin to differ. */
function notUtf8(bytes: Buffer, decoded: Buffer): Fault {
  const at = bytes.findIndex((byte, index) => byte !== decoded[index]);
  return new Fault('invalid_json', { message: `The body is not valid UTF-8: byte ${at + 1}`, hint: 'JSON is sent as UTF-8' });
}

/** `firstLine`: the number of the text's first line in the body. */
function explain(text: string, firstLine = 1): Fault {
  if (isJson(text))
    return new Fault('invalid_json', {
      message: 'The body has a field named __proto__ or constructor.prototype, which is refused',
    });
  const { line: lineInText, column, reason } = locateJsonFault(text);
  const line = firstLine - 1 + lineInText;
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
