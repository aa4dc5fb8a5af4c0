import type { Clock } from '../../kernel/clock.ts';
import type { Sandbox, SandboxCommand, SandboxExit } from '../sandbox.ts';

/** How a program is ended before its time. */
export interface Ending {
  /** Aborted: it is asked to end, and `graceMs` later it is killed. */
  readonly signal: AbortSignal;
  /** Aborted: it is killed at once. */
  readonly now?: AbortSignal | undefined;
}

/** For a program that was asked to end, to leave its work in a good state. Those that were tried end within 0.1 s. */
export const graceMs = 10_000;

type Command = Omit<SandboxCommand, 'signal' | 'ask'> & Ending;

/** As `exec` of the sandbox; the exit of what was asked to end is `aborted`. */
export async function execInSteps(sandbox: Sandbox, { signal, now, ...command }: Command, clock: Clock): Promise<SandboxExit> {
  const asking = new AbortController();
  const stop = stopInSteps({ signal, now }, { clock, ask: () => asking.abort() });
  try {
    const exit = await sandbox.exec({ ...command, ask: asking.signal, signal: stop.signal });
    return signal.aborted ? { reason: 'aborted', durationMs: exit.durationMs } : exit;
  } finally {
    stop.unlink();
  }
}

/** A signal that kills: aborted with `now`, and `graceMs` after `signal`, with which `ask` is called. */
export function stopInSteps(
  { signal, now }: Ending,
  { clock, ask }: { readonly clock: Clock; readonly ask: () => void },
): { readonly signal: AbortSignal; unlink(): void } {
  const kill = new AbortController();
  const over = new AbortController();
  const onNow = (): void => kill.abort();
  const onAsk = (): void => {
    ask();
    void clock.sleep(graceMs, over.signal).then(() => {
      if (!over.signal.aborted) kill.abort();
    });
  };
  if (now?.aborted === true) onNow();
  else if (signal.aborted) onAsk();
  now?.addEventListener('abort', onNow, { once: true });
  signal.addEventListener('abort', onAsk, { once: true });
  return {
    signal: kill.signal,
    unlink() {
      now?.removeEventListener('abort', onNow);
      signal.removeEventListener('abort', onAsk);
      over.abort();
    },
  };
}
