import type { World } from '../world.ts';

/** Asks the person at the terminal. Throws the signal's reason when it is aborted meanwhile. */
export async function askUnless(world: World, question: string, signal: AbortSignal): Promise<string> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_resolve, fail) => {
    onAbort = () => {
      // What comes next begins on a line of its own.
      world.err.write('\n');
      fail(signal.reason as Error);
    };
  });
  signal.throwIfAborted();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return (await Promise.race([world.input.ask(question), aborted])).trim();
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
