import type { Transaction } from '../postgres/types.ts';

/** Who waits for whom, across all connections of all servers. */
const waits = new WeakMap<Transaction, Transaction>();

/** False where that would close a circle: nobody in it would ever go on. */
export function mayWait(who: Transaction, forWhom: Transaction): boolean {
  for (let next: Transaction | undefined = forWhom; next !== undefined && !next.isOver; next = waits.get(next)) {
    if (next === who) return false;
  }
  waits.set(who, forWhom);
  return true;
}

export function waitsNoLonger(who: Transaction): void {
  waits.delete(who);
}
