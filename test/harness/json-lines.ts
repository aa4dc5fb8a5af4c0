import type { ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';

export type JsonLine = Readonly<Record<string, unknown>>;

export interface SpokenLines {
  readonly lines: readonly JsonLine[];
  /** When all that it printed has been heard. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null; readonly err: string }>;
  /** The first line for which `wanted` holds; rejects with all that was heard where the process ends before. */
  line(wanted: (line: JsonLine) => boolean): Promise<JsonLine>;
}

/** Hears a process that prints JSON Lines. */
export function spokenLines(child: ChildProcessByStdio<null, Readable, Readable>): SpokenLines {
  const lines: JsonLine[] = [];
  const looks = new Set<() => void>();
  let [rest, err] = ['', ''];
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts.map(part => JSON.parse(part) as JsonLine));
    for (const look of looks) look();
  });
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    err,
  }));
  return {
    lines,
    ended,
    line: wanted =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.find(wanted);
          if (found !== undefined) resolve(found);
        };
        looks.add(look);
        look();
        void ended.then(({ code, err }) =>
          reject(new Error(`ended with ${code}: ${err}\n${lines.map(line => JSON.stringify(line)).join('\n')}`)),
        );
      }),
  };
}
