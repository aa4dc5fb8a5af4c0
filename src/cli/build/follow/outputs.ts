import { StringDecoder } from 'node:string_decoder';
import type { Clock } from '../../../kernel/clock.ts';
import type { Context } from '../../context.ts';
import { printable } from '../../output/text.ts';

/** The newest line of what running runs write, for a view that shows no more of it. */
export interface Outputs {
  readonly lines: ReadonlyMap<string, string>;
  /** Goes on asking for these runs and no others. */
  watch(runIds: readonly string[]): void;
  stop(): void;
}

interface Tail {
  offset: number;
  rest: string;
  readonly decoder: StringDecoder;
}

const pollMs = 700;

export function watchOutputs(context: () => Context, clock: Clock): Outputs {
  const lines = new Map<string, string>();
  const tails = new Map<string, Tail>();
  const stopping = new AbortController();
  let wanted: readonly string[] = [];

  async function look(id: string): Promise<void> {
    const tail = tails.get(id) ?? { offset: 0, rest: '', decoder: new StringDecoder('utf8') };
    tails.set(id, tail);
    const { server, token } = context();
    const answer = await fetch(`${server}/api/runs/${id}/log?offset=${tail.offset}`, {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      redirect: 'error',
      signal: AbortSignal.any([stopping.signal, AbortSignal.timeout(5_000)]),
    });
    if (!answer.ok) {
      await answer.body?.cancel();
      return;
    }
    for await (const chunk of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
      tail.offset += chunk.length;
      const text = tail.rest + tail.decoder.write(Buffer.from(chunk));
      const newest = newestLine(text);
      if (newest !== '') lines.set(id, newest);
      tail.rest = text.slice(text.lastIndexOf('\n') + 1).slice(-lineMax);
    }
  }

  async function poll(): Promise<void> {
    while (!stopping.signal.aborted) {
      for (const id of tails.keys()) if (!wanted.includes(id)) forget(id);
      // A server that is away for a moment is somebody else's matter: here it is a line that stays as it is.
      await Promise.allSettled(wanted.map(look));
      await clock.sleep(pollMs, stopping.signal);
    }
  }

  function forget(id: string): void {
    tails.delete(id);
    lines.delete(id);
  }

  void poll();
  return {
    lines,
    watch(runIds) {
      wanted = runIds;
    },
    stop: () => stopping.abort(),
  };
}

const lineMax = 2_000;

/** The last line that says something, without what would steer a terminal. A line that is written over itself is its last state. */
export function newestLine(text: string): string {
  const lines = text.split(/[\r\n]+/);
  for (let i = lines.length - 1; i >= 0; i -= 1) {
    const line = printable((lines[i] ?? '').slice(-lineMax).replace(/\u001b\[[0-9;:?<=>]*[ -/]*[@-~]/g, '')).trim();
    if (line !== '') return line;
  }
  return '';
}
