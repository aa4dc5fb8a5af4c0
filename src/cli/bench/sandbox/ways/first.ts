import { monotonicAheadMs } from '../../../../kernel/clock.ts';

const timeBytes = 16;

/** When the program ran its first instruction, as `systemClock.mono` counts, by the first that it wrote; undefined where that tells no time, as of a shell. */
export function firstInstructionMs(written: Buffer): number | undefined {
  if (written.length !== timeBytes) return undefined;
  const saidMs = Number(written.readBigInt64LE(0)) * 1e3 + Number(written.readBigInt64LE(8)) / 1e6;
  return saidMs - monotonicAheadMs();
}
