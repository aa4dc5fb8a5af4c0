import { type Strike, type StrikeCounts, strikeKinds, wantedKinds } from '../world/strikes.ts';

/** Of each kind: in how many worlds it struck, and how often in all. */
export type Struck = Readonly<Partial<Record<Strike, { readonly worlds: number; readonly times: number }>>>;

export function addStruck(sum: Struck, counts: StrikeCounts): Struck {
  const one = Object.fromEntries(Object.entries(counts).map(([kind, times]) => [kind, { worlds: 1, times }])) as Struck;
  return togetherStruck([sum, one]);
}

export function togetherStruck(parts: readonly Struck[]): Struck {
  const sum: Partial<Record<Strike, { worlds: number; times: number }>> = {};
  for (const part of parts) {
    for (const [kind, { worlds, times }] of Object.entries(part) as [Strike, { worlds: number; times: number }][]) {
      const known = (sum[kind] ??= { worlds: 0, times: 0 });
      known.worlds += worlds;
      known.times += times;
    }
  }
  return sum;
}

/** Faults, and kinds of the issue, that never struck. */
export function neverStruck(struck: Struck): string[] {
  const faults = strikeKinds.filter(kind => struck[kind] === undefined);
  const wanted = Object.entries(wantedKinds).filter(([, kinds]) => kinds.every(kind => struck[kind] === undefined));
  return [...faults, ...wanted.map(([name]) => name)];
}

/** A line for each kind, for people. */
export function tellStruck(struck: Struck): string[] {
  return strikeKinds.map(kind => {
    const { worlds, times } = struck[kind] ?? { worlds: 0, times: 0 };
    return `  ${kind.padEnd(18)} in ${worlds} worlds, ${times} times`;
  });
}
