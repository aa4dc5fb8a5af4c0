import { request } from 'node:http';
import type { Agent } from 'node:http';
import { now } from './beat.ts';

export interface Place {
  readonly url: string;
  readonly token: string;
}

export interface Heard {
  /** From the request to the first piece of text. */
  readonly firstMs: number;
  /** Of each piece of text: from when the provider sent it to when it was here. */
  readonly delaysMs: readonly number[];
}

/** A stream to its end. */
export function listen(agent: Agent, place: Place): Promise<Heard> {
  const from = now();
  const arrivals: { readonly at: number; readonly sent: number }[] = [];
  return new Promise((resolve, reject) => {
    open(agent, place, {
      prompt: 'go',
      onError: reject,
      onText: (text, at) => void arrivals.push({ at, sent: Number(text) }),
      onEnd() {
        const [first] = arrivals;
        if (first === undefined) return reject(new Error('a stream without a piece of text'));
        resolve({ firstMs: first.at - from, delaysMs: arrivals.map(({ at, sent }) => at - sent) });
      },
    });
  });
}

/** A stream that stays open until it is closed; resolves when it has begun. */
export function hold(agent: Agent, place: Place): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const sent = open(agent, place, {
      prompt: '?open',
      onError: reject,
      onText: () => resolve(() => sent.destroy()),
      onEnd() {},
    });
  });
}

interface Ears {
  readonly prompt: string;
  readonly onText: (text: string, at: number) => void;
  readonly onError: (error: Error) => void;
  readonly onEnd: () => void;
}

function open(agent: Agent, { url, token }: Place, ears: Ears): { destroy: () => void } {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const sent = request(`${url}/v1/chat/completions`, { agent, method: 'POST', headers }, answer => {
    if (answer.statusCode !== 200) {
      answer.resume();
      ears.onError(new Error(`${url} answered ${answer.statusCode}`));
      return;
    }
    let rest = '';
    answer.setEncoding('utf8');
    answer.on('data', (part: string) => {
      const at = now();
      const events = (rest + part).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events) {
        const text = /"content":"([\d.]+) "/.exec(event)?.[1];
        if (text !== undefined) ears.onText(text, at);
      }
    });
    answer.once('end', ears.onEnd);
    answer.once('error', ears.onError);
  });
  sent.once('error', ears.onError);
  sent.end(
    JSON.stringify({ model: 'bench/paced', stream: true, max_tokens: 100, messages: [{ role: 'user', content: ears.prompt }] }),
  );
  return sent;
}
