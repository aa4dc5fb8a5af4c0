import type { Pool } from '../../src/db/pool.ts';

export interface Counter {
  /** Round trips of the pool so far. */
  count(): number;
  /** Processes of PostgreSQL that serve it. */
  pids(): readonly number[];
  /** What took longest in all since the last time that this was asked, with how often it was sent. */
  longest(countMax: number): readonly Sent[];
}

interface Sent {
  readonly name: string;
  times: number;
  ms: number;
}

/** Counts what a pool sends, by every connection that it opens from now on; begin and commit count too. */
export function countStatements(pool: Pool['raw']): Counter {
  let count = 0;
  const pids = new Set<number>();
  const all = new Map<string, Sent>();
  pool.on('connect', client => {
    pids.add((client as unknown as { processID: number }).processID);
    const query = client.query.bind(client) as (...values: unknown[]) => unknown;
    const counted = (...values: unknown[]): unknown => {
      count += 1;
      const sent = sentOf(all, values[0]);
      sent.times += 1;
      const from = performance.now();
      const over = () => (sent.ms += performance.now() - from);
      const last = values.at(-1);
      if (typeof last !== 'function') return (query(...values) as Promise<unknown>).finally(over);
      const answer = (...given: unknown[]) => {
        over();
        (last as (...values: unknown[]) => void)(...given);
      };
      return query(...values.slice(0, -1), answer);
    };
    Object.assign(client, { query: counted });
  });
  return {
    count: () => count,
    pids: () => [...pids],
    longest(countMax) {
      const found = [...all.values()].sort((a, b) => b.ms - a.ms).slice(0, countMax);
      all.clear();
      return found;
    },
  };
}

function sentOf(all: Map<string, Sent>, query: unknown): Sent {
  const text = typeof query === 'string' ? query : (query as { name?: string; text: string });
  const name = typeof text === 'string' ? text.slice(0, 20) : (text.name ?? text.text.slice(0, 40));
  const known = all.get(name) ?? { name, times: 0, ms: 0 };
  all.set(name, known);
  return known;
}
