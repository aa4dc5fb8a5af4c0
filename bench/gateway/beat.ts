/** As a model does that gives 25 pieces of text a second. */
export const chunkMs = 40;
export const chunks = 50;

/** Milliseconds that mean the same in every process of this machine. */
export function now(): number {
  return performance.timeOrigin + performance.now();
}
