import { z } from 'zod';
import { criteria, cursor, files, id, pageLimit, text, ticketId, time, title } from './fields.ts';
import { proofs } from './results.ts';

export const ticketTypes = ['epic', 'feature', 'task', 'bug'] as const;
export const ticketStatuses = [
  'pending',
  'blocked',
  'ready',
  'claimed',
  'running',
  'verifying',
  'merging',
  'completed',
  'waiting',
  'failed',
  'cancelled',
] as const;

const priority = z.number().int().min(-1000).max(1000).meta({ description: 'Higher runs first' });
const estimate = z.number().min(0).max(1000).nullable().meta({ description: 'Points' });
const dependsOn = z.array(ticketId).max(2_000);

export const ticket = z
  .object({
    id: ticketId,
    tenant_id: id,
    session_id: id.nullable(),
    spec_id: id.nullable(),
    project_id: id,
    type: z.enum(ticketTypes),
    title: z.string(),
    description: z.string(),
    acceptance_criteria: z.array(z.string()),
    status: z.enum(ticketStatuses),
    status_reason: z.string().nullable().meta({ description: 'Why it is failed, waiting or cancelled' }),
    proof: z.enum(proofs).nullable().meta({ description: 'How far the completed work was checked; unproven: no check ran' }),
    parent_id: ticketId.nullable(),
    depends_on: z.array(ticketId),
    priority: z.number().int(),
    estimate: z.number().nullable(),
    files: z
      .array(z.string())
      .meta({ description: 'What it is expected to touch; two that touch the same are not run side by side' }),
    observed: z.array(z.string()).meta({ description: 'What work on it was seen to touch' }),
    assigned_vm: z.string().nullable().meta({ description: 'The sandbox that works on it' }),
    branch_name: z.string().nullable(),
    pr_url: z.string().nullable(),
    attempts: z.number().int(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Ticket' });

export const ticketFilter = z.object({
  status: z.enum(ticketStatuses).optional(),
  type: z.enum(ticketTypes).optional(),
  project_id: id.optional(),
  session_id: id.optional(),
  spec_id: id.optional(),
  parent_id: ticketId.optional(),
  after: cursor.optional(),
  limit: pageLimit,
});
export const ticketList = z.object({ tickets: z.array(ticket), next: cursor.nullable() });

export const ticketCreate = z.strictObject({
  project_id: id,
  type: z.enum(ticketTypes).exclude(['epic']).default('task'),
  title,
  description: text.default(''),
  acceptance_criteria: criteria.default([]),
  depends_on: dependsOn.default([]),
  parent_id: ticketId.optional(),
  priority: priority.default(0),
  estimate: estimate.default(null),
  files: files.default([]),
});
export const ticketEdit = z
  .strictObject({ title, description: text, acceptance_criteria: criteria, depends_on: dependsOn, priority, estimate, files })
  .partial()
  .refine(value => Object.keys(value).length > 0, { error: 'give at least one field to change' });
export const ticketCancel = z
  .strictObject({
    reason: text.default('cancelled by a person'),
    cascade: z.boolean().default(false).meta({ description: 'Cancel what depends on it too' }),
  })
  .prefault({});
export const ticketRetry = z
  .strictObject({
    anew: z
      .boolean()
      .default(false)
      .meta({ description: 'Without the work and the conversation of the attempts before; else on from a cancelled one' }),
  })
  .prefault({});
export const ticketsChanged = z.object({ tickets: z.array(ticket) });

export const graphFilter = z.object({ spec_id: id });
export const ticketGraph = z
  .object({
    nodes: z.array(ticket),
    edges: z.array(z.object({ ticket_id: ticketId, depends_on: ticketId })),
    ready: z.array(ticketId),
    critical_path: z
      .array(ticketId)
      .meta({ description: 'The longest chain of tickets that are not yet completed, first to last' }),
  })
  .meta({ id: 'TicketGraph' });

export type WireTicket = z.infer<typeof ticket>;
export type WireTicketGraph = z.infer<typeof ticketGraph>;
