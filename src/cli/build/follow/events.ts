import type { WireEvent } from '../../../../contract/events.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Context } from '../../context.ts';
import { followEvents } from '../../events/live.ts';

/** The events from now on, to be taken as one has time for them. */
export interface Inbox {
  /** What has come since the last call, after a wait for it of at most `ms`. Throws what has ended the stream. */
  take(ms: number): Promise<readonly WireEvent[]>;
  close(): void;
}

/** Resolves when nothing that happens from then on is missed. Throws where the server does not answer or refuses the token. */
export async function openInbox(
  context: Context,
  { onLost, onBack }: { onLost: () => void; onBack: () => void },
): Promise<Inbox> {
  const closing = new AbortController();
  const events: WireEvent[] = [];
  let failure: unknown;
  let wake = (): void => {};
  let isLost = false;
  let begin = (): void => {};
  const begun = new Promise<void>(resolve => {
    begin = resolve;
  });

  async function gather(): Promise<void> {
    const following = {
      signal: closing.signal,
      onReady(): void {
        begin();
        if (isLost) onBack();
        isLost = false;
      },
      onLost(): void {
        if (!isLost) onLost();
        isLost = true;
      },
    };
    try {
      for await (const event of followEvents(context, 'now', following)) {
        events.push(event);
        wake();
      }
    } catch (error) {
      failure = error;
    }
    wake();
    begin();
  }

  void gather();
  await begun;
  if (failure !== undefined) throw asError(failure);
  return {
    async take(ms) {
      if (events.length === 0 && failure === undefined) {
        const waiting = new AbortController();
        wake = () => waiting.abort();
        await context.clock.sleep(ms, waiting.signal);
      }
      if (events.length === 0 && failure !== undefined) throw asError(failure);
      return events.splice(0);
    },
    close: () => closing.abort(),
  };
}

function asError(failure: unknown): Error {
  return failure instanceof Error ? failure : new Fault('internal', { message: String(failure) });
}
