import { Transform } from 'node:stream';

/** What a run has moved through its proxy, both ways. */
export interface Meter {
  /** A stream that passes on what it is given, counts it, and breaks off when the run has moved all that it may. */
  counted(): Transform;
  isUsedUp(): boolean;
  /** Whether anything has moved since it was asked last. */
  hasMoved(): boolean;
}

export function createMeter(bytesMax: number, onUsedUp: () => void): Meter {
  let moved = 0;
  let seen = 0;
  return {
    counted: () =>
      new Transform({
        transform(chunk: Buffer, _encoding, done) {
          const was = moved;
          moved += chunk.length;
          if (moved <= bytesMax) return done(null, chunk);
          if (was <= bytesMax) onUsedUp();
          done(new Error('the run has moved all that it may'));
        },
      }),
    isUsedUp: () => moved > bytesMax,
    hasMoved() {
      const has = moved !== seen;
      seen = moved;
      return has;
    },
  };
}
