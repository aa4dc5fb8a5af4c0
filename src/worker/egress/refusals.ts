import { networkRefused, refusalsMax } from '../../../contract/network/refusals.ts';
import type { NetworkRefusal } from '../../../contract/network/refusals.ts';
import type { Reports } from '../run/reports.ts';

export type Refusal = Omit<NetworkRefusal, 'count'>;

/** What was not reached, told as it happens and counted until the end. */
export interface Refusals {
  add(refusal: Refusal): void;
  /** Tells how often each was in the end. */
  sumUp(): void;
}

interface Counted {
  readonly refusal: Refusal;
  count: number;
  told: number;
}

/** A program that tries again and again is told of after ten times as many. */
const tellAgainFactor = 10;
const hostMax = 253;

export function createRefusals(reports: Pick<Reports, 'add'>): Refusals {
  const all = new Map<string, Counted>();

  function tell(counted: Counted): void {
    counted.told = counted.count;
    reports.add(networkRefused, { ...counted.refusal, count: counted.count });
  }

  return {
    add(said) {
      const given = shown(said);
      const refusal = all.size < refusalsMax || all.has(keyOf(given)) ? given : others;
      const counted = all.get(keyOf(refusal)) ?? { refusal, count: 0, told: 0 };
      all.set(keyOf(refusal), counted);
      counted.count += 1;
      if (counted.count === 1 || counted.count >= counted.told * tellAgainFactor) tell(counted);
    },
    sumUp() {
      for (const counted of all.values()) if (counted.count > counted.told) tell(counted);
    },
  };
}

const others: Refusal = { host: 'others', port: null, method: null, reason: 'more' };

function keyOf({ host, port, reason }: Refusal): string {
  return `${reason} ${port ?? ''} ${host}`;
}

/** It is what a program in a sandbox said. */
function shown({ host, port, method, reason }: Refusal): Refusal {
  const text = host.slice(0, hostMax).replace(/[^\x21-\x7e]/g, '?');
  return { host: text, port, method: method?.slice(0, 30) ?? null, reason };
}
