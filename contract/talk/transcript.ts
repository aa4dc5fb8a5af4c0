import { z } from 'zod';
import { cursor, id, pageLimit, ticketId, time } from '../fields.ts';

/** What an agent does in a run, as typed events: what people read, search and play again. */
export const transcriptTypes = ['message', 'thought', 'tool_call', 'tool_result', 'file_change', 'usage', 'cut'] as const;
export type TranscriptType = (typeof transcriptTypes)[number];

const callKinds = ['execute', 'edit', 'read', 'other'] as const;
const fileChanges = ['added', 'modified', 'deleted'] as const;

/** Of each text; what is longer is cut, and says so at its end. */
export const transcriptTextCharactersMax = 16_384;
export const callTitleCharactersMax = 2_000;
export const callIdCharactersMax = 200;
export const changedPathCharactersMax = 1_000;
/** Of a run. What comes after them is not kept, which one event of type `cut` says. */
export const transcriptEventsMax = 10_000;
export const transcriptBytesMax = 16 * 1_048_576;

const text = z.string().max(transcriptTextCharactersMax);
const call = z.string().max(callIdCharactersMax);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const common = {
  at: time
    .refine(at => Date.parse(at) >= 0, 'a time since 1970')
    .meta({ description: 'When it happened, by the clock of the worker' }),
};
const kinds = {
  message: { text },
  thought: { text },
  tool_call: {
    call: call.meta({ description: 'Names the call, in its result and in what it changed too' }),
    kind: z.enum(callKinds),
    title: z.string().max(callTitleCharactersMax),
    input: text.meta({ description: 'What the tool was given, JSON as text; empty where the agent does not tell' }),
  },
  tool_result: { call, status: z.enum(['completed', 'failed']), output: text },
  file_change: {
    path: z
      .string()
      .min(1)
      .max(changedPathCharactersMax)
      .meta({ description: 'From the root of the repository where it is in it' }),
    change: z.enum(fileChanges),
    call: call.nullable().default(null).meta({ description: 'The call that changed it, where the agent tells' }),
  },
  usage: { input_tokens: count, output_tokens: count },
  cut: { text },
} as const satisfies Record<TranscriptType, z.ZodRawShape>;

/** Of each type one, with these fields beside its own. */
function eventWith<Common extends z.ZodRawShape>(common: Common) {
  return z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('message'), ...common, ...kinds.message }),
    z.strictObject({ type: z.literal('thought'), ...common, ...kinds.thought }),
    z.strictObject({ type: z.literal('tool_call'), ...common, ...kinds.tool_call }),
    z.strictObject({ type: z.literal('tool_result'), ...common, ...kinds.tool_result }),
    z.strictObject({ type: z.literal('file_change'), ...common, ...kinds.file_change }),
    z.strictObject({ type: z.literal('usage'), ...common, ...kinds.usage }),
    z.strictObject({ type: z.literal('cut'), ...common, ...kinds.cut }),
  ]);
}

/** As a worker sends it, one a line. */
export const transcriptEvent = eventWith(common).meta({ id: 'TranscriptEvent' });

/** A batch of them: how many bytes it had, and its lines. */
export const transcriptAppend = z.object({
  bytes: z.number().int(),
  lines: z.array(transcriptEvent).max(transcriptEventsMax),
});

const seq = z.number().int().meta({ description: 'Counts the events of the run, from 1' });
const keptEvent = eventWith({ seq, ...common }).meta({ id: 'KeptTranscriptEvent' });

export const searchCharactersMax = 200;

export const transcriptFilter = z.object({
  after: cursor.optional(),
  limit: pageLimit,
  type: z
    .string()
    .max(200)
    .refine(
      types => types.split(',').every(type => (transcriptTypes as readonly string[]).includes(type)),
      `one or more of ${transcriptTypes.join(', ')}, with commas between them`,
    )
    .optional()
    .meta({ description: 'Only these types, with commas between them' }),
  q: z
    .string()
    .min(1)
    .max(searchCharactersMax)
    .optional()
    .meta({ description: 'Only what has these words in a text, a title or a path: plain text, capitals or not' }),
});
export const transcriptPage = z.object({
  events: z.array(keptEvent),
  next: cursor.meta({ description: 'Where to go on, now or later' }),
  more: z.boolean().meta({ description: 'Whether there are more, or the run goes on so that there can be' }),
});

/** Runs whose transcripts are looked through for one page. */
export const searchedRunsMax = 20;

const { type, q } = transcriptFilter.shape;
/** Of a run, and of an event in it. */
const longCursor = z.string().max(200).meta({ description: 'Opaque: pass back what an answer gave' });
export const transcriptSearch = z.object({
  q: q.unwrap(),
  type,
  project_id: id.optional(),
  ticket_id: ticketId.optional(),
  after: longCursor.optional(),
  limit: pageLimit,
});
export const transcriptsPage = z.object({
  found: z.array(
    z
      .object({ run_id: id, ticket_id: ticketId.nullable(), attempt: z.number().int(), event: keptEvent })
      .meta({ id: 'FoundEvent' }),
  ),
  runs_searched: z
    .number()
    .int()
    .meta({ description: `Runs that were looked through for this page, the newest first: at most ${searchedRunsMax}` }),
  next: longCursor
    .nullable()
    .meta({ description: 'Where to go on, also after a page with nothing; null: all was looked through' }),
});

export type TranscriptEvent = z.infer<typeof transcriptEvent>;
export type KeptTranscriptEvent = z.infer<typeof keptEvent>;
