import {
  transcriptBytesMax,
  type TranscriptEvent,
  transcriptEventsMax,
  type TranscriptType,
} from '../../../../contract/talk/transcript.ts';
import type { Database, Tx } from '../../../db/database.ts';
import { Fault } from '../../../kernel/fault.ts';
import { fence, type HolderScope, lostLease } from '../holder.ts';
import { holdLease } from '../runs.sql.ts';
import {
  insertTranscriptEvents,
  transcriptEnd,
  transcriptOfRun,
  transcriptPageRows,
  type TranscriptRow,
} from './transcript.sql.ts';

/** Events from byte `offset` of the transcript on, of which they are so many `bytes`. */
export interface TranscriptChunk {
  readonly offset: number;
  readonly bytes: number;
  readonly events: readonly TranscriptEvent[];
}

/**
 * Adds what an agent did, as `appendLog` adds what it printed: a chunk that is stored already is accepted again, since its answer may
 * have been lost. Returns the bytes stored. Throws Fault `lease_lost`, `log_gap`, `too_large`.
 */
export async function appendTranscript(
  database: Database,
  scope: HolderScope,
  { offset, bytes, events }: TranscriptChunk,
): Promise<number> {
  return database.engine(scope, async tx => {
    const { runId } = scope.holder;
    const [run] = await tx.query(holdLease, fence(tx.tenantId, scope.holder));
    if (run === undefined) throw await lostLease(tx, scope.holder);
    const [stored] = await tx.query(transcriptEnd, [tx.tenantId, runId]);
    const { size, last } = stored ?? { size: 0, last: 0 };
    const end = offset + bytes;
    if (end <= size || events.length === 0) return size;
    if (offset !== size) {
      const message = `The transcript has ${size} bytes; this chunk begins at ${offset}`;
      throw new Fault('log_gap', { message, facts: { size } });
    }
    if (end > transcriptBytesMax || last + events.length > transcriptEventsMax) {
      const message = `The transcript of a run has at most ${transcriptEventsMax} events and ${transcriptBytesMax} bytes`;
      throw new Fault('too_large', { message, facts: { size } });
    }
    const rows = events.map(({ type, at, ...body }, index) => ({ seq: last + 1 + index, type, at, body }));
    await tx.query(insertTranscriptEvents, [tx.tenantId, runId, end, JSON.stringify(rows)]);
    return end;
  });
}

export interface TranscriptFilter {
  readonly types: readonly TranscriptType[] | undefined;
  /** Plain text, in whatever capitals. */
  readonly words: string | undefined;
}

export interface TranscriptPage {
  readonly events: readonly TranscriptRow[];
  /** The last event that was looked at. */
  readonly next: number;
  /** Whether there are more, or can be. */
  readonly more: boolean;
}

/** Events after the one numbered `after`. Throws Fault `run_not_found`. */
export async function readTranscript(
  tx: Tx,
  runId: string,
  { after, limit, types, words }: TranscriptFilter & { readonly after: number; readonly limit: number },
): Promise<TranscriptPage> {
  const [run] = await tx.query(transcriptOfRun, [tx.tenantId, runId]);
  if (run === undefined) throw new Fault('run_not_found');
  const { last, isOpen } = run;
  const searched = words === undefined ? [null, null] : [words, JSON.stringify(words).slice(1, -1)];
  const events = await tx.query(transcriptPageRows, [tx.tenantId, runId, after, last, limit, types ?? null, ...searched]);
  const next = events.length === limit ? (events.at(-1)?.seq ?? after) : Math.max(after, last);
  return { events, next, more: next < last || isOpen };
}
