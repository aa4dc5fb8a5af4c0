/** So that what was done at random can be done again: CHAOS_SEED. */
export const seed = Number(process.env['CHAOS_SEED'] ?? 20_261_121);

/** A small generator with a seed (mulberry32), so that the order of what goes wrong can be had again. */
export function dice(seed: number): (sides: number) => number {
  let state = seed;
  return sides => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % sides;
  };
}
