import { z } from 'zod';
import { id, text, ticketId, time } from './fields.ts';
import { planning, question, specPlan } from './talk/planning.ts';
import { onResultFound } from './results.ts';
import { specCard } from './spec-card.ts';

export const sessionStates = [
  'input',
  'clarifying',
  'reviewing',
  'approved',
  'building',
  'completed',
  'failed',
  'cancelled',
] as const;
const sessionState = z.enum(sessionStates);

export const sessionCreate = z
  .strictObject({
    project_name: z.string().trim().min(1).max(200).optional(),
    project_id: id.optional(),
    description: text.min(1, 'say what is to be built'),
    spec_card: specCard.optional().meta({ description: 'The spec, where there is one already: no model is asked' }),
  })
  .refine(value => (value.project_name === undefined) !== (value.project_id === undefined), {
    error: 'give either project_name or project_id',
  });

export const session = z
  .object({
    id,
    project_id: id,
    spec_id: id.nullable(),
    epic_id: ticketId.nullable(),
    description: z.string(),
    state: sessionState,
    progress: z.number().int().meta({ description: 'Percent' }),
    planning: planning
      .nullable()
      .default(null)
      .meta({ description: 'How far the planning of its spec has come; null of one that began with a card' }),
    waiting_for: z
      .enum(['answers', 'approval'])
      .nullable()
      .default(null)
      .meta({ description: 'What a person is asked for: answers to the last questions, or approval of the spec' }),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Session' });
export const sessionList = z.object({ sessions: z.array(session) });

const message = z
  .object({
    number: z.number().int(),
    author: z.string().meta({ description: 'person, clarifier or planner' }),
    text: z.string(),
    questions: z
      .array(question)
      .nullable()
      .default(null)
      .meta({ description: 'What the clarifier asks, as its text says it too' }),
    created_at: time,
  })
  .meta({ id: 'Message' });
export const messageList = z.object({ messages: z.array(message) });

export const respond = z.strictObject({ message: text.min(1) });
export const generateSpec = z.strictObject({ spec_card: specCard.optional() });
export const reject = z.strictObject({ reason: text.min(1, 'say why, so that the next version can be better') });
export const startBuild = z.looseObject({ confirmed: z.unknown().optional() }).nullish();
export const startBuildAnswer = z
  .object({
    success: z.literal(true),
    state: z.literal('building'),
    epic_id: ticketId,
    ticket_count: z.number().int(),
    message: z.string(),
  })
  .meta({ id: 'BuildStarted' });

export const specStatuses = [
  'draft',
  'executing_planning',
  'planning_complete',
  'executing_tasks',
  'completed',
  'failed',
  'cancelled',
] as const;
export const specPhases = ['EXPLORE', 'REQUIREMENTS', 'DESIGN', 'TASKS', 'SYNC', 'EXECUTE', 'COMPLETE'] as const;

export const spec = z
  .object({
    id,
    session_id: id,
    project_id: id,
    version: z.number().int(),
    name: z.string(),
    status: z.enum(specStatuses),
    phase: z.enum(specPhases),
    card: specCard.nullable().meta({ description: 'null while the first planning is under way' }),
    plan: specPlan
      .nullable()
      .default(null)
      .meta({ description: 'Requirements, design and tasks that the card was made of; null of a card that was handed in' }),
    on_result_found: onResultFound.meta({ description: 'What becomes of the open tickets when its result is validated' }),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Spec' });

export const specEdit = z.strictObject({ on_result_found: onResultFound });

export type WireSession = z.infer<typeof session>;
export type WireSpec = z.infer<typeof spec>;
