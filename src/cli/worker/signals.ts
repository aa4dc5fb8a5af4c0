const signals = ['SIGINT', 'SIGTERM'] as const;

/**
 * The first SIGINT or SIGTERM calls the first step, the second the second; further ones nothing. The result ends the
 * listening.
 */
export function onStopSignals(steps: readonly (() => void)[]): () => void {
  let count = 0;
  const onSignal = (): void => {
    steps[count]?.();
    count += 1;
  };
  for (const signal of signals) process.on(signal, onSignal);
  return () => {
    for (const signal of signals) process.removeListener(signal, onSignal);
  };
}
