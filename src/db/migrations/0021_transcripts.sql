-- Transcripts: what agents do in their runs, as typed events.

-- Numbered from 1. The events of a run are a stream of bytes, as its log is: chunk_end is where the chunk ended that brought this one,
-- so that a chunk that is sent twice is stored once.
create table transcript_events (
  tenant_id uuid not null,
  run_id uuid not null,
  seq int not null check (seq > 0),
  chunk_end bigint not null check (chunk_end > 0),
  type text not null constraint transcript_events_type check (type in
    ('message', 'thought', 'tool_call', 'tool_result', 'file_change', 'usage', 'cut')),
  at timestamptz(3) not null,
  body jsonb not null,
  primary key (tenant_id, run_id, seq),
  foreign key (tenant_id, run_id) references runs (tenant_id, id)
);
call raise_wall('transcript_events');
grant select on transcript_events to {app};
grant select, insert on transcript_events to {engine};
