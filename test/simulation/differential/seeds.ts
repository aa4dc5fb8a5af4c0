import { simulate } from '../simulate.ts';
import type { MemoryPostgres } from '../postgres/types.ts';
import { openRealPostgres } from './real.ts';
import { createRecording, type Recording } from './recording.ts';
import { replay } from './replay.ts';

interface Compared {
  readonly steps: number;
  readonly difference: string | undefined;
}

/** Lives the world of a seed, asks a real PostgreSQL the same, and says what differs first. */
export async function compareSeed(seed: number, rewrite?: (text: string) => string): Promise<Compared> {
  let recording: Recording | undefined;
  let memory: MemoryPostgres | undefined;
  await simulate(seed, {
    ...(rewrite === undefined ? {} : { rewrite }),
    record(outside) {
      const own = createRecording(outside);
      recording = {
        ...own,
        watch(postgres) {
          memory = postgres;
          return own.watch(postgres);
        },
      };
      return recording;
    },
  });
  if (recording === undefined || memory === undefined) throw new Error('The simulation has written nothing down');
  const real = await openRealPostgres();
  try {
    return { steps: recording.steps.length, difference: await replay(recording.steps, real, memory) };
  } finally {
    await real.close();
  }
}
