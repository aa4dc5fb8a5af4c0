import { searchedRunsMax } from '../../../../contract/talk/transcript.ts';
import type { Tx } from '../../../db/database.ts';
import { runsWithTranscript, type SearchedRun, transcriptPageRows, type TranscriptRow } from './transcript.sql.ts';
import type { TranscriptFilter } from './transcript.ts';

/** An event of a run, and how far within that it stands. */
export interface Place {
  readonly createdAt: string;
  readonly id: string;
  readonly seq: number;
}

export interface Search extends TranscriptFilter {
  readonly words: string;
  readonly ticketId: string | undefined;
  readonly projectId: string | undefined;
  readonly from: Place | undefined;
  readonly limit: number;
}

export interface Found {
  readonly found: readonly { readonly run: SearchedRun; readonly event: TranscriptRow }[];
  /** How many runs were looked through. */
  readonly runsSearched: number;
  /** Where to go on; null where all was looked through. */
  readonly next: Place | null;
}

/** After the last event of any run. */
const endOfRun = 2_147_483_647;

/**
 * Looks through the transcripts of runs, the newest first, in each from its beginning on: a page of so many runs at most, however many
 * events that finds.
 */
export async function searchTranscripts(tx: Tx, { from, limit, types, words, ...of }: Search): Promise<Found> {
  const place = [from?.createdAt ?? null, from?.id ?? null] as const;
  // One more than is looked through says whether there are more; the first may be one that the last page ended with.
  const countMax = searchedRunsMax + (from === undefined ? 1 : 2);
  const runs = await tx.query(runsWithTranscript, [tx.tenantId, of.ticketId ?? null, of.projectId ?? null, ...place, countMax]);
  const looked = runs.slice(0, countMax - 1);
  const found: Found['found'][number][] = [];
  for (const [index, run] of looked.entries()) {
    const after = run.id === from?.id ? from.seq : 0;
    const asked = [after, endOfRun, limit - found.length, types ?? null, words, JSON.stringify(words).slice(1, -1)];
    const events = await tx.query(transcriptPageRows, [tx.tenantId, run.id, ...asked]);
    found.push(...events.map(event => ({ run, event })));
    const last = events.at(-1);
    if (found.length === limit && last !== undefined) return { found, runsSearched: index + 1, next: placeIn(run, last.seq) };
  }
  const end = looked.at(-1);
  return {
    found,
    runsSearched: looked.length,
    next: end === undefined || runs.length < countMax ? null : placeIn(end, endOfRun),
  };
}

function placeIn({ id, createdAt }: SearchedRun, seq: number): Place {
  return { createdAt: createdAt.toISOString(), id, seq };
}
