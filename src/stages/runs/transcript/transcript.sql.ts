import { statement } from '../../../db/statement.ts';
import { isOfTicket } from '../runs.sql.ts';

/** How far the transcript of a run is stored: bytes of its stream, and events. */
export const transcriptEnd = statement<{ size: number; last: number }>(
  'transcript_end',
  `select chunk_end as size, seq as last from transcript_events where tenant_id = $1 and run_id = $2 order by seq desc limit 1`,
);

export const insertTranscriptEvents = statement<object>(
  'insert_transcript_events',
  `insert into transcript_events (tenant_id, run_id, chunk_end, seq, type, at, body)
   select $1, $2, $3, e.seq, e.type, e.at, e.body
     from jsonb_to_recordset($4::jsonb) as e (seq int, type text, at timestamptz, body jsonb)`,
);

/** One look at both: where the transcript ends now, and whether a holder can still add to it. */
export const transcriptOfRun = statement<{ last: number; isOpen: boolean }>(
  'transcript_of_run',
  `select coalesce((select max(e.seq) from transcript_events e where e.tenant_id = $1 and e.run_id = r.id), 0) as last,
          r.lease_expires_at is not null or r.state = 'queued' as is_open
     from runs r where r.tenant_id = $1 and r.id = $2`,
);

export interface TranscriptRow {
  readonly seq: number;
  readonly type: string;
  readonly at: Date;
  readonly body: Readonly<Record<string, unknown>>;
}

/**
 * What is searched for is plain text: no character of it stands for others. $8 is the same as it stands in JSON, as which inputs are kept. A
 * run's events are few enough to be looked through.
 */
export const transcriptPageRows = statement<TranscriptRow>(
  'transcript_page',
  `select seq, type, at, body from transcript_events
    where tenant_id = $1 and run_id = $2 and seq > $3::bigint and seq <= $4 and ($6::text[] is null or type = any ($6::text[]))
      and ($7::text is null or strpos(lower(body ->> 'input'), lower($8::text)) > 0 or exists (
        select from unnest(array[body ->> 'text', body ->> 'title', body ->> 'output', body ->> 'path']) as words
         where strpos(lower(words), lower($7::text)) > 0))
    order by seq limit $5`,
);

export interface SearchedRun {
  readonly id: string;
  readonly ticketId: string | null;
  readonly attempt: number;
  readonly createdAt: Date;
}

/** Runs that have a transcript, the newest first, from run $4, $5 on: of ticket $2 and of project $3 where these are named. */
export const runsWithTranscript = statement<SearchedRun>(
  'runs_with_transcript',
  `select r.id, r.ticket_id, r.attempt, r.created_at from runs r
    where r.tenant_id = $1 and ($2::text is null or ${isOfTicket('r', '$2')}) and ($3::uuid is null or r.project_id = $3)
      and ($4::timestamptz is null or (r.created_at, r.id) <= ($4::timestamptz, $5::uuid))
      and exists (select from transcript_events e where e.tenant_id = $1 and e.run_id = r.id)
    order by r.created_at desc, r.id desc limit $6`,
);
