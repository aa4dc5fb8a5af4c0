import { eventPage } from '../../../../contract/events.ts';
import { copyLog } from '../../run/log.ts';
import type { Context } from '../../world.ts';
import type { Report } from './report.ts';
import type { End, Timeline } from './timeline.ts';

const pollMs = 200;
const pageRows = 500;

interface Watching {
  readonly context: Context;
  readonly timeline: Timeline;
  readonly report: Report;
  /** What it is aborted with is thrown. */
  readonly signal: AbortSignal;
  /** Of all of it together. */
  readonly timeoutMs: number;
}

/** Tells what happens until it is over one way or the other. */
export async function watchTry({ context, timeline, report, signal, timeoutMs }: Watching): Promise<End> {
  const { clock, client } = context;
  const untilMs = clock.mono() + timeoutMs;
  const decoder = new TextDecoder();
  let after: string | undefined;
  let offset = 0;

  async function readLog(): Promise<void> {
    if (timeline.runId === undefined) return;
    await copyLog(context, `/api/runs/${timeline.runId}/log?offset=${offset}`, chunk => {
      offset += chunk.length;
      report.wrote(decoder.decode(chunk, { stream: true }));
    });
  }

  for (;;) {
    signal.throwIfAborted();
    const page = await client.request('GET', '/api/events', { query: { after, limit: pageRows }, schema: eventPage });
    after = page.next;
    // What was written before an event is there before it is.
    await readLog();
    for (const event of page.events) for (const step of timeline.read(event)) report.step(step);
    if (timeline.end !== undefined) return timeline.end;
    if (clock.mono() > untilMs)
      return { kind: 'failed', class: 'timeout', message: `It was not over within ${timeoutMs / 1_000} s` };
    if (page.events.length < pageRows) await clock.sleep(pollMs, signal);
  }
}
