/** Until when a provider's model is not asked, as the provider has said: by a 429, or by the headers of any answer. */
export interface Holds {
  set(name: string, untilMono: number): void;
  /** Milliseconds that are left; 0 where there is none. */
  left(name: string, nowMono: number): number;
}

/** Names are chosen by those who call. */
const holdsMax = 1_000;

/** Of this process, since the limits are those of its keys; another one learns them from its own answers. */
export function createHolds(): Holds {
  const until = new Map<string, number>();
  return {
    set(name, untilMono) {
      until.delete(name);
      until.set(name, untilMono);
      if (until.size > holdsMax) until.delete(until.keys().next().value ?? '');
    },
    left: (name, nowMono) => Math.max(0, (until.get(name) ?? 0) - nowMono),
  };
}
