import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { speak } from '../../harness/model-steps.ts';
import type { Step } from '../../harness/model-steps.ts';

/** One call of a model, as the provider hears it. */
export interface Asked {
  readonly text: string;
  readonly tools: string;
  /** Whoever asked has hung up before the answer had ended. */
  readonly isLeft: boolean;
}

/** What the model says at each of its calls, the last of which is given to all that come after. */
export type Script = readonly Step[] | ((asked: Asked, count: number) => Step);

export interface Played {
  readonly asked: readonly Asked[];
}

/** A provider of models on all wires: each model plays the script of its name. */
export interface Players {
  readonly url: string;
  play(model: string, script: Script): Played;
  close(): Promise<void>;
}

interface Part {
  readonly script: Script;
  readonly asked: Mutable<Asked>[];
}
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export async function startPlayers(): Promise<Players> {
  const parts = new Map<string, Part>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    const body = await text(request);
    const given = JSON.parse(body || '{}') as { readonly model?: string; readonly tools?: unknown };
    // To count tokens is no call of the model.
    if (/count_?tokens/i.test(path)) return void response.end(JSON.stringify({ input_tokens: 100, totalTokens: 100 }));
    const part = parts.get(given.model ?? /models\/([^:]+)/.exec(path)?.[1] ?? '');
    if (part === undefined) return void response.writeHead(404).end();
    const asked = { text: body, tools: JSON.stringify(given.tools ?? []), isLeft: false };
    response.once('close', () => void (asked.isLeft = !response.writableFinished));
    part.asked.push(asked);
    speak(stepOf(part, asked), { path, tools: given.tools, response });
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    play(model, script) {
      const part = { script, asked: [] };
      parts.set(model, part);
      return part;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function stepOf({ script, asked: { length } }: Part, asked: Asked): Step {
  if (typeof script === 'function') return script(asked, length);
  return script[length - 1] ?? script.at(-1) ?? { say: 'Nothing is left to do.' };
}
