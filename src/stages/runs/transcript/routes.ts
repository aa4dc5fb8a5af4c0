import { z } from 'zod';
import { leaseHeader, logAppend, logAppended, logChunkBytesMax } from '../../../../contract/runs.ts';
import {
  type KeptTranscriptEvent,
  transcriptAppend,
  transcriptFilter,
  transcriptPage,
  transcriptSearch,
  transcriptsPage,
  type TranscriptType,
} from '../../../../contract/talk/transcript.ts';
import type { Database } from '../../../db/database.ts';
import { decodeNumber, decodePlaceWithin, encodeCursor } from '../../../http/cursor.ts';
import { jsonLinesType } from '../../../http/json.ts';
import { type Api, byId, callerOf } from '../../../http/route.ts';
import { failpoint } from '../../../kernel/failpoint.ts';
import { Fault } from '../../../kernel/fault.ts';
import { searchTranscripts } from './search.ts';
import type { TranscriptRow } from './transcript.sql.ts';
import { appendTranscript, readTranscript } from './transcript.ts';

const placeCursor = 'transcript';
const searchCursor = 'transcripts';

/** What the agent of a run did: added by its holder, a line of JSON for each event, and read by people. */
export function transcriptRoutes(app: Api, { database }: { readonly database: Database }): void {
  const lease = z.looseObject({ [leaseHeader]: z.string().min(1, 'the lease token of the claim').max(200) });
  const schema = { params: byId, querystring: logAppend, headers: lease, body: transcriptAppend, response: { 200: logAppended } };
  const config = { need: 'work', takes: jsonLinesType } as const;
  // How many bytes a chunk has is counted, and not what a body says of itself.
  const preValidation = async ({ headers }: { headers: { 'content-type'?: string | undefined } }): Promise<void> => {
    if (headers['content-type']?.startsWith(jsonLinesType) !== true)
      throw new Fault('unsupported_media_type', { hint: `Send the events as ${jsonLinesType}: JSON, one a line` });
  };
  app.post('/runs/:id/transcript', { config, bodyLimit: logChunkBytesMax, schema, preValidation }, async request => {
    const scope = { ...callerOf(request), holder: { runId: request.params.id, token: request.headers[leaseHeader] } };
    const { bytes, lines } = request.body;
    const size = await appendTranscript(database, scope, { offset: request.query.offset, bytes, events: lines });
    failpoint('transcript-appended');
    return { size };
  });

  const reading = { params: byId, querystring: transcriptFilter, response: { 200: transcriptPage } };
  app.get('/runs/:id/transcript', { config: { need: 'read' }, schema: reading }, async request => {
    const { after, limit, type, q: words } = request.query;
    const asked = { after: decodeNumber(placeCursor, after), limit, types: typesIn(type), words };
    const page = await database.request(callerOf(request), tx => readTranscript(tx, request.params.id, asked));
    return { ...page, events: page.events.map(wireEvent), next: encodeCursor(placeCursor, page.next) };
  });

  searchRoute(app, { database });
}

/** Over the transcripts of many runs. */
function searchRoute(app: Api, { database }: { readonly database: Database }): void {
  const schema = { querystring: transcriptSearch, response: { 200: transcriptsPage } };
  app.get('/transcripts', { config: { need: 'read' }, schema }, async request => {
    const { q: words, type, after, limit, ticket_id: ticketId, project_id: projectId } = request.query;
    const from = decodePlaceWithin(searchCursor, after);
    const asked = { words, types: typesIn(type), from, limit, ticketId, projectId };
    const { found, runsSearched, next } = await database.request(callerOf(request), tx => searchTranscripts(tx, asked));
    return {
      found: found.map(({ run, event }) => ({
        ...{ run_id: run.id, ticket_id: run.ticketId, attempt: run.attempt },
        event: wireEvent(event),
      })),
      runs_searched: runsSearched,
      next: next === null ? null : encodeCursor(searchCursor, next.createdAt, next.id, next.seq),
    };
  });
}

function typesIn(type: string | undefined): readonly TranscriptType[] | undefined {
  return type?.split(',') as readonly TranscriptType[] | undefined;
}

/** The body is as the contract said when it was taken in. */
function wireEvent({ seq, type, at, body }: TranscriptRow): KeptTranscriptEvent {
  return { seq, type, at: at.toISOString(), ...body } as KeptTranscriptEvent;
}
