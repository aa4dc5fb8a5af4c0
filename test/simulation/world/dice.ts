/** Seeded dice. Those of a part are its own: what one part throws moves nobody else's. */
export interface Dice {
  /** From 0 up to 1. */
  next(): number;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  /** One of these, at least one. */
  pick<T>(all: readonly T[]): T;
  /** A duration: mostly short, rarely up to ten times as long. */
  around(ms: number): number;
  /** Dice of a part, always the same for the same name, whatever was thrown before. */
  of(part: string): Dice;
}

export function createDice(seed: number, part = ''): Dice {
  const next = mulberry32(mix(seed, part));
  const between = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));
  return {
    next,
    between,
    chance: probability => next() < probability,
    pick<T>(all: readonly T[]): T {
      const picked = all[between(0, all.length - 1)];
      if (picked === undefined) throw new Error('nothing to pick from');
      return picked;
    },
    around: ms => Math.round(next() < 0.05 ? ms * (1 + 9 * next()) : ms * next()),
    of: name => createDice(seed, `${part}/${name}`),
  };
}

/** Tommy Ettinger's mulberry32: 32 bits of state, which is enough to choose what goes wrong next. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** FNV-1a over the name, begun with the seed. */
function mix(seed: number, part: string): number {
  let hash = 2_166_136_261 ^ Math.imul(seed, 0x9e3779b1);
  for (let i = 0; i < part.length; i++) hash = Math.imul(hash ^ part.charCodeAt(i), 16_777_619);
  return hash ^ (hash >>> 15);
}
