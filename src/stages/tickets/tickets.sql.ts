import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';
import type { TicketStatus } from './model/ticket.ts';

type Columns = Tables['tickets'];

export interface TicketRow extends Columns {
  acceptanceCriteria: string[];
  dependsOn: string[];
}

const columns = `t.id, t.tenant_id, t.number, t.session_id, t.spec_id, t.project_id, t.type, t.title, t.description, t.acceptance_criteria,
  t.status, t.status_reason, t.proof, t.parent_id, t.priority, t.chain, t.estimate, t.assigned_vm, t.branch_name, t.pr_url, t.attempts,
  t.files, t.observed, t.created_at, t.updated_at,
  array(select d.needs_id from ticket_dependencies d where d.tenant_id = t.tenant_id and d.ticket_id = t.id order by d.needs_id) as depends_on`;

export const ticketById = statement<TicketRow>(
  'ticket_by_id',
  `select ${columns} from tickets t where t.tenant_id = $1 and t.id = $2`,
);

/**
 * No key update, here and in every lock of a ticket: a row that is updated twice in one transaction has its foreign keys checked,
 * which shares the key of its epic; two who share it and then want more than that wait for each other.
 */
export const ticketForUpdate = statement<TicketRow>('ticket_for_update', `${ticketById.text} for no key update of t`);

/**
 * For who is about to wait for them: none completes or is cancelled before this transaction ends, so the one that completes next
 * sees who waits for it.
 */
export const needsForShare = statement<TicketRow>(
  'needs_for_share',
  `select ${columns} from tickets t where t.tenant_id = $1 and t.id = any ($2::text[]) order by t.number for share of t`,
);

export const ticketsFiltered = statement<TicketRow>(
  'tickets_filtered',
  `select ${columns} from tickets t
    where t.tenant_id = $1 and t.number > $2::bigint
      and ($4::text is null or t.status = $4) and ($5::text is null or t.type = $5)
      and ($6::uuid is null or t.project_id = $6) and ($7::uuid is null or t.session_id = $7)
      and ($8::uuid is null or t.spec_id = $8) and ($9::text is null or t.parent_id = $9)
    order by t.number limit $3`,
);

export const epicOfSession = statement<{ id: string; ticketCount: number }>(
  'epic_of_session',
  `select t.id, (select count(*) from tickets c where c.tenant_id = t.tenant_id and c.parent_id = t.id) as ticket_count
     from tickets t where t.tenant_id = $1 and t.session_id = $2 and t.type = 'epic'`,
);

export const epicsOfSessions = statement<{ sessionId: string; id: string }>(
  'epics_of_sessions',
  `select session_id, id from tickets where tenant_id = $1 and session_id = any ($2::uuid[]) and type = 'epic'`,
);

/** The next numbers of the tenant. Its row stays locked until the transaction ends, so writes of the graph take turns. */
export const takeNumbers = statement<{ ticketCount: number }>(
  'take_numbers',
  'update tenants set ticket_count = ticket_count + $2 where id = $1 returning ticket_count',
);

/** The lock of take_numbers without taking one, for changes to dependencies. */
export const holdGraph = statement<{ id: string }>('hold_graph', 'select id from tenants where id = $1 for no key update');

export const insertTickets = statement<{ id: string }>(
  'insert_tickets',
  `insert into tickets (tenant_id, id, number, session_id, spec_id, project_id, type, title, description, acceptance_criteria, status,
                        parent_id, priority, chain, estimate, files)
   select $1, x.id, x.number, $2, $3, $4, x.type, x.title, x.description, x."acceptanceCriteria", x.status, x."parentId",
          coalesce(x.priority, 0), x.chain, x.estimate, coalesce(x.files, '{}')
     from jsonb_to_recordset($5::jsonb) as x (id text, number int, type text, title text, description text, "acceptanceCriteria" jsonb,
          status text, "parentId" text, priority int, chain int, estimate double precision, files text[])
   returning id`,
);

export const insertDependencies = statement<object>(
  'insert_dependencies',
  `insert into ticket_dependencies (tenant_id, ticket_id, needs_id)
   select $1, x.id, x.need from jsonb_to_recordset($2::jsonb) as x (id text, need text)`,
);

export const deleteDependencies = statement<object>(
  'delete_dependencies',
  'delete from ticket_dependencies where tenant_id = $1 and ticket_id = $2',
);

/** What is not yet completed or cancelled in a project, as a graph. */
export const openGraph = statement<{ id: string; needs: string[]; chain: number }>(
  'open_graph',
  `select t.id, t.chain, array(select d.needs_id from ticket_dependencies d where d.tenant_id = t.tenant_id and d.ticket_id = t.id) as needs
     from tickets t where t.tenant_id = $1 and t.project_id = $2 and t.type <> 'epic' and t.status not in ('completed', 'cancelled')`,
);

export const setChains = statement<object>(
  'set_chains',
  `update tickets t set chain = x.chain from jsonb_to_recordset($2::jsonb) as x (id text, chain int) where t.tenant_id = $1 and t.id = x.id`,
);

/** For whoever acts on the status that it has now: it stays so until the transaction ends. */
export const ticketForShare = statement<TicketRow>('ticket_for_share', `${ticketById.text} for share of t`);

/** The one way in which a status changes: only from the states that the machine allows. A reason that is null clears the last one. */
export const moveTicketRow = statement<TicketRow>(
  'move_ticket',
  `update tickets t set status = $3, status_reason = $5, proof = $6, updated_at = now(),
          assigned_vm = case when $3 in ('running', 'verifying') then t.assigned_vm end
    where t.tenant_id = $1 and t.id = $2 and t.status = any ($4::text[]) returning ${columns}`,
);

/** Why a ticket waits, where that is another reason by now. */
export const explainTicketRow = statement<TicketRow>(
  'explain_ticket',
  `update tickets t set status_reason = $3, updated_at = now()
    where t.tenant_id = $1 and t.id = $2 and t.status = 'waiting' and t.status_reason is distinct from $3 returning ${columns}`,
);

/** Locks those that wait for $2, in the order of their ids, so that of two needs which complete at once one sees the other. */
export const holdDependants = statement<{ id: string }>(
  'hold_dependants',
  `select t.id from tickets t join ticket_dependencies d on d.tenant_id = t.tenant_id and d.ticket_id = t.id
    where d.tenant_id = $1 and d.needs_id = $2 and t.status = 'blocked' order by t.id for no key update of t`,
);

/** Those of $2 that wait for nothing any more. Run after hold_dependants, with a fresh snapshot. */
export const releaseTickets = statement<{ id: string; parentId: string | null }>(
  'release_tickets',
  `update tickets t set status = 'ready', status_reason = null, updated_at = now()
    where t.tenant_id = $1 and t.id = any ($2::text[]) and t.status = 'blocked'
      and not exists (select from ticket_dependencies d join tickets n on n.tenant_id = d.tenant_id and n.id = d.needs_id
                       where d.tenant_id = t.tenant_id and d.ticket_id = t.id and n.status <> 'completed')
    returning t.id, t.parent_id`,
);

/** What a ticket still waits for, held as by needs_for_share. */
export const openNeeds = statement<{ id: string; status: TicketStatus }>(
  'open_needs',
  `select n.id, n.status from ticket_dependencies d join tickets n on n.tenant_id = d.tenant_id and n.id = d.needs_id
    where d.tenant_id = $1 and d.ticket_id = $2 and n.status <> 'completed' order by n.number
      for share of n`,
);

/** All that wait for $2, directly or not, and are not over. */
export const allDependants = statement<{ id: string }>(
  'all_dependants',
  `with recursive waiting (id) as (
     select d.ticket_id from ticket_dependencies d where d.tenant_id = $1 and d.needs_id = $2
     union
     select d.ticket_id from waiting w join ticket_dependencies d on d.tenant_id = $1 and d.needs_id = w.id
   ) select t.id from waiting w join tickets t on t.tenant_id = $1 and t.id = w.id
      where t.status not in ('completed', 'cancelled') order by t.number`,
);

/** Of $2, in the order of their ids, those that are not over; held until the transaction ends. */
export const holdOpenTickets = statement<{ id: string }>(
  'hold_open_tickets',
  `select id from tickets where tenant_id = $1 and id = any ($2::text[]) and status not in ('completed', 'cancelled')
    order by id for no key update`,
);

/** The work of a session, and all that waits for it, directly or not. */
export const ticketsOnSession = statement<{ id: string; ofSession: boolean }>(
  'tickets_on_session',
  `with recursive ending (id) as (
     select t.id from tickets t where t.tenant_id = $1 and t.session_id = $2 and t.type <> 'epic' and t.status not in ('completed', 'cancelled')
     union
     select d.ticket_id from ending e join ticket_dependencies d on d.tenant_id = $1 and d.needs_id = e.id
   ) select t.id, t.session_id is not distinct from $2 as of_session from ending e join tickets t on t.tenant_id = $1 and t.id = e.id
      order by t.id`,
);

/** Of the statuses $3, those in which children of an epic are: one look at an index for each, however many there are. */
export const statusesOfChildren = statement<{ status: TicketStatus }>(
  'statuses_of_children',
  `select status from unnest($3::text[]) as status
    where exists (select from tickets c where c.tenant_id = $1 and c.parent_id = $2 and c.status = status.status)`,
);

export const setEpicStatus = statement<object>(
  'set_epic_status',
  `update tickets set status = $3, updated_at = now() where tenant_id = $1 and id = $2 and type = 'epic' and status <> $3`,
);

export const updateTicketFields = statement<TicketRow>(
  'update_ticket_fields',
  `update tickets t set title = coalesce($3, t.title), description = coalesce($4, t.description),
          acceptance_criteria = coalesce($5::jsonb, t.acceptance_criteria), priority = coalesce($6, t.priority),
          estimate = case when $8 then $7::double precision else t.estimate end, files = coalesce($9::text[], t.files), updated_at = now()
    where t.tenant_id = $1 and t.id = $2 returning ${columns}`,
);

/** What work on it was seen to touch. */
export const observeTicketRow = statement<object>(
  'observe_ticket',
  'update tickets set observed = $3::text[] where tenant_id = $1 and id = $2 and observed <> $3::text[]',
);

export const clearAttempts = statement<object>(
  'clear_attempts',
  'update tickets set attempts = 0 where tenant_id = $1 and id = $2',
);

export const forgetAttempt = statement<object>(
  'forget_attempt',
  `update tickets set attempts = attempts - 1 where tenant_id = $1 and id = $2 and status = 'claimed' and attempts > 0`,
);

export const assignWork = statement<object>(
  'assign_work',
  `update tickets set assigned_vm = coalesce($3, assigned_vm), branch_name = coalesce($4, branch_name) where tenant_id = $1 and id = $2`,
);

/**
 * Part of the claim of a run (one statement for both, since both must hold or neither): the ticket of the run in `claimed` follows
 * it. The claim has locked the ticket's row and seen it ready.
 */
export const ticketFollowsClaim = `
  update tickets t set status = 'claimed', attempts = t.attempts + 1, updated_at = now()
    from claimed c where c.subject_type = 'ticket' and t.tenant_id = c.tenant_id and t.id = c.subject_id
    returning t.id, t.tenant_id, t.attempts`;

/** The same for what was handed in: the statement has locked the ticket of each run in `submitted` and seen it claimed or running. */
export const ticketFollowsSubmission = `
  update tickets t set status = 'verifying', status_reason = null, proof = null, updated_at = now(),
         branch_name = coalesce(s.result ->> 'branch', t.branch_name)
    from submitted s where t.tenant_id = s.tenant_id and t.id = s.subject_id
    returning t.id, t.tenant_id, s.turn`;

/** The same for a run whose agent is at work: the statement has locked the ticket of the run in `started` and seen it claimed. */
export const ticketFollowsStart = `
  update tickets t set status = 'running', status_reason = null, proof = null, updated_at = now(),
         assigned_vm = coalesce(s.sandbox, t.assigned_vm)
    from started s where t.tenant_id = s.tenant_id and t.id = s.subject_id
    returning t.id, t.tenant_id, s.sandbox`;
