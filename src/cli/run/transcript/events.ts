import { transcriptPage } from '../../../../contract/talk/transcript.ts';
import type { KeptTranscriptEvent } from '../../../../contract/talk/transcript.ts';
import type { Clock } from '../../../kernel/clock.ts';
import type { Lasting } from '../../place/again.ts';

interface Wanted {
  readonly id: string;
  /** Names of types, with commas between them. */
  readonly type: string | undefined;
  readonly search: string | undefined;
  /** Whether to wait for more while the run goes on. */
  readonly follow: boolean;
}

const pageRows = 200;
const pollMs = 500;

/** The events of a run, page after page. While it is followed a server that is away is waited for, as long as `lasting` says. */
export async function* eventsOf(
  lasting: Lasting,
  { id, type, search, follow }: Wanted,
): AsyncIterable<readonly KeptTranscriptEvent[]> {
  let after: string | undefined;
  let isAway = false;
  for (;;) {
    const { client, clock, err, json } = lasting.context;
    try {
      const query = { after, limit: pageRows, type, q: search };
      const page = await client.request('GET', `/api/runs/${id}/transcript`, { query, schema: transcriptPage });
      lasting.answered();
      isAway = false;
      yield page.events;
      after = page.next;
      const isFull = page.events.length === pageRows;
      if (!isFull && !(follow && page.more)) return;
      if (isFull) continue;
    } catch (error) {
      if (!follow) throw error;
      const { message } = await lasting.lost(error);
      if (!isAway && !json) err.write(`${message}; trying again\n`);
      isAway = true;
    }
    await clock.sleep(pollMs);
  }
}

/** A longer pause between two events is played as one of so many milliseconds. */
export const pauseMsMax = 3_000;

/** The same events one by one, with the pauses that were between them, shortened and `speed` times as quick. */
export async function* played(
  pages: AsyncIterable<readonly KeptTranscriptEvent[]>,
  { clock, speed }: { readonly clock: Clock; readonly speed: number },
): AsyncIterable<readonly KeptTranscriptEvent[]> {
  let before: number | undefined;
  for await (const events of pages) {
    for (const event of events) {
      const at = Date.parse(event.at);
      const pauseMs = Math.min(pauseMsMax, at - (before ?? at)) / speed;
      if (pauseMs > 0) await clock.sleep(pauseMs);
      before = at;
      yield [event];
    }
  }
}
