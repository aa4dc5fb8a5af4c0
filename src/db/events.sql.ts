import { statement } from './statement.ts';
import type { Tables } from './tables.gen.ts';

/** Rows of the log as readers see them: only those with a position. */
export interface EventRow extends Omit<Tables['events'], 'id'> {
  position: number;
  payload: Record<string, unknown>;
}

/** All events of a transaction and the jobs that follow from them, their tasks $4 and payloads $5, in one round trip. */
export const appendEvents = statement<object>(
  'append_events',
  `with told as (
     select e.type, e.subject ->> 'type' as subject_type, e.subject ->> 'id' as subject_id, e.payload
       from jsonb_to_recordset($3::jsonb) as e (type text, subject jsonb, payload jsonb)
   ), logged as (
     insert into events (tenant_id, type, subject_type, subject_id, actor, payload)
     select $1::uuid, type, subject_type, subject_id, $2::text, coalesce(payload, '{}') from told
   )
   select enqueue_jobs($4::text[], $5::json[]) where cardinality($4::text[]) > 0`,
);

export const sequenceEvents = statement<{ sequenceEvents: number }>('sequence_events', 'select sequence_events($1)');

export const lastPosition = statement<{ lastPosition: number }>('last_position', 'select last_position from event_sequencer');

const columns = 'position, tenant_id, type, subject_type, subject_id, actor, payload, at';

export const eventsAfter = statement<EventRow>(
  'events_after',
  `select ${columns} from events
    where tenant_id = $1 and position > $2 and ($4::text is null or subject_id = $4)
    order by position limit $3`,
);
