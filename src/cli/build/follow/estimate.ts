import { activeStatuses } from './board.ts';
import type { Row } from './board.ts';

interface Known {
  readonly rows: readonly Row[];
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** How many tickets were at work at once, at most. */
  readonly width: number;
}

/**
 * Milliseconds until the last ticket is merged, from how long those took that are done: no sooner than the longest chain of open
 * tickets allows, nor than so many at once. Undefined before one is done, and where nothing more moves.
 */
export function timeLeft({ rows, now, width }: Known): number | undefined {
  const done = rows.filter(row => row.status === 'completed' && row.begun !== undefined && row.ended !== undefined);
  const open = rows.filter(({ status }) => status !== 'completed' && status !== 'cancelled');
  const moves = open.some(({ status }) => activeStatuses.has(status) || status === 'ready');
  if (done.length === 0 || !moves) return undefined;
  const usual = done.reduce((sum, row) => sum + ((row.ended ?? 0) - (row.begun ?? 0)), 0) / done.length;
  const left = new Map(open.map(row => [row.id, leftOf(row, { usual, now })]));
  const total = [...left.values()].reduce((sum, ms) => sum + ms, 0);
  return Math.max(longestChain(open, left), total / Math.max(1, width));
}

/** Of a ticket at work: what the usual one has still before it, and a little at least. */
function leftOf(row: Row, { usual, now }: { usual: number; now: number }): number {
  if (!activeStatuses.has(row.status) || row.begun === undefined) return usual;
  return Math.max(usual - (now - row.begun), usual / 10);
}

/** Rows stand behind all that they wait for, so one pass is enough. */
function longestChain(open: readonly Row[], left: ReadonlyMap<string, number>): number {
  const chains = new Map<string, number>();
  let longest = 0;
  for (const { id, needs } of open) {
    const before = Math.max(0, ...needs.map(need => chains.get(need) ?? 0));
    const chain = before + (left.get(id) ?? 0);
    chains.set(id, chain);
    longest = Math.max(longest, chain);
  }
  return longest;
}
