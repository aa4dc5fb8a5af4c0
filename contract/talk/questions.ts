import { z } from 'zod';
import { id, pageLimit, ticketId, time } from '../fields.ts';

export const questionKinds = ['budget', 'blocker', 'ask', 'recovery'] as const;
export const questionStates = ['pending', 'answered', 'expired'] as const;

export const questionTextMax = 4_000;

export const questionOption = z.object({ id: z.string(), label: z.string() }).meta({ id: 'QuestionOption' });

/** What waits for a person's word. */
export const question = z
  .object({
    id,
    kind: z.enum(questionKinds).meta({
      description:
        'budget: a budget is spent; blocker: an agent cannot go on; ask: an agent asks; recovery: runs of a ticket broke off again and again',
    }),
    state: z
      .enum(questionStates)
      .meta({ description: 'expired: nobody answered in time, or nothing waits for the answer any more' }),
    subject_type: z.string(),
    subject_id: z.string(),
    project_id: id.nullable(),
    ticket_id: ticketId.nullable(),
    run_id: id.nullable(),
    spec_id: id.nullable(),
    text: z.string(),
    options: z.array(questionOption),
    default_answer: z.string().nullable().meta({ description: 'What holds where nobody answers in time' }),
    answer: z.string().nullable(),
    answered_by: z.string().nullable(),
    due_at: time.nullable().meta({ description: 'null: it waits however long that takes' }),
    created_at: time,
    decided_at: time.nullable(),
  })
  .meta({ id: 'Question' });

export const questionFilter = z.object({
  state: z.enum(questionStates).optional(),
  ticket_id: ticketId.optional(),
  limit: pageLimit,
});
export const questionList = z.object({ questions: z.array(question) });
export const questionAnswer = z.strictObject({
  answer: z.string().trim().min(1, 'say something').max(questionTextMax).meta({
    description:
      'Of a budget: raise:AMOUNT (the new cap), model:NAME or stop. Of a blocker: what the next attempt is told, or stop. Of an ask: an option, or any text. Of a recovery: again, stop, or what the next attempt is told',
  }),
});

export type QuestionKind = (typeof questionKinds)[number];
export type QuestionOption = z.infer<typeof questionOption>;
export type WireQuestion = z.infer<typeof question>;
