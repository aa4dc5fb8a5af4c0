-- Speed: what a ticket costs on its way through the tables.

/*
 * An event is written once and given its position once. Readers know only those that have one, so only those are in their indexes: a
 * transaction adds to two indexes and not to five, and it is the sequencer, which nobody waits for, that adds to the others.
 */
drop index events_by_position;
drop index events_of_tenant;
drop index events_of_subject;
create unique index events_by_position on events (position) where position is not null;
create index events_of_tenant on events (tenant_id, position) where position is not null;
create index events_of_subject on events (tenant_id, subject_id, position) where position is not null;

/*
 * Each event looked at its tenant's row and locked it, as all other transactions of the tenant did at the same time. Nobody may delete a
 * tenant, and the walls see to whose event it is.
 */
alter table events drop constraint events_tenant_id_fkey;

-- An epic follows the statuses of its children: which there are, however many have them. A ticket of no epic or no spec is in neither.
drop index tickets_of_parent;
drop index tickets_of_spec;
create index tickets_of_parent on tickets (tenant_id, parent_id, status) where parent_id is not null;
create index tickets_of_spec on tickets (tenant_id, spec_id, number) where spec_id is not null;

-- Those that wait for a person are counted whenever somebody looks at all that goes on.
create index tickets_waiting on tickets (tenant_id) where status = 'waiting';

-- Every status of a ticket is a new version of its row: there is room for it beside the old one, and what is left of those goes soon.
alter table tickets set (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
