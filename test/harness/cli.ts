import { createServer } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Output, Size, World } from '../../src/cli/context.ts';
import { run } from '../../src/cli/program.ts';
import { readSettings } from '../../src/config.ts';
import { systemClock } from '../../src/kernel/clock.ts';

interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Whether stdin and stderr are a terminal; stdout too, then. */
  readonly isTerminal?: boolean;
  readonly hasColour?: boolean;
  /** Of the terminal. */
  readonly size?: () => Size;
  /** Called when the program listens for keys, with what presses one. */
  readonly onKeys?: (press: (key: string) => void) => void;
  /** What the person at the terminal answers to any question. */
  readonly answer?: string | ((question: string) => string | Promise<string>);
  readonly stopRequested?: World['stopRequested'];
  /** Called with all of stdout so far, at each write. */
  readonly onOut?: (all: string) => void;
}

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly questions: readonly string[];
}

/** Runs the `skep` program in this process, as main.ts would with these words. */
export async function skep(argv: readonly string[], around: Surroundings = {}): Promise<Ended> {
  const { env = {}, cwd = process.cwd(), stdin = '', isTerminal = false, hasColour = false, answer = '' } = around;
  const written = { out: '', err: '' };
  const questions: string[] = [];
  const output = (name: 'out' | 'err'): Output => ({
    isTerminal,
    hasColour,
    ...(around.size === undefined ? {} : { size: around.size }),
    write(text) {
      written[name] += typeof text === 'string' ? text : Buffer.from(text).toString('utf8');
      if (name === 'out') around.onOut?.(written.out);
    },
  });
  const code = await run({
    argv,
    cwd,
    out: output('out'),
    err: output('err'),
    clock: systemClock,
    settings: overrides => Promise.resolve(readSettings(overrides, env)),
    stopRequested: around.stopRequested ?? (() => new Promise(() => {})),
    input: {
      isTerminal,
      read: () => Promise.resolve(Buffer.from(stdin)),
      ask(question) {
        questions.push(question);
        return Promise.resolve(typeof answer === 'string' ? answer : answer(question));
      },
      keys(pressed) {
        around.onKeys?.(pressed);
        return () => {};
      },
    },
  });
  return { code, questions, ...written };
}

export interface Call {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly body: unknown;
  readonly token: string | undefined;
}

export interface Answer {
  readonly status?: number;
  readonly fault?: string;
  readonly json?: unknown;
  readonly text?: string | Uint8Array;
  /** The connection is lost after the text, before the answer's end. */
  readonly breaksOff?: boolean;
}

/** A small HTTP server that answers as it is told and keeps the calls; for what a program says over HTTP and how it takes the answer. */
export async function scriptedServer(answer: (call: Call) => Answer) {
  const calls: Call[] = [];
  const server = createServer((request, response) => {
    void received(request).then(call => {
      calls.push(call);
      const { status = 200, fault, json, text, breaksOff = false } = answer(call);
      response.writeHead(status, {
        'content-type': text === undefined ? 'application/json' : 'text/plain; charset=utf-8',
        ...(fault === undefined ? {} : { 'skep-fault': fault }),
      });
      if (breaksOff) response.write(text ?? '', () => response.destroy());
      else response.end(text ?? (json === undefined ? '' : JSON.stringify(json)));
    });
  });
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    calls,
    server,
    async close() {
      server.closeAllConnections();
      await new Promise(resolve => void server.close(resolve));
    },
  };
}

async function received(request: IncomingMessage): Promise<Call> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString('utf8');
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    body: text === '' ? undefined : JSON.parse(text),
    token: request.headers.authorization?.replace(/^Bearer /, ''),
  };
}
