import { z } from 'zod';
import { acpFields } from '../agents/acp.ts';
import { codingAgents, commandAgents, commandLine, modelName, plainAgents, plainFields, timeoutMs } from '../projects.ts';
import { reportToolNames } from '../talk/report-back.ts';
import { templateName, templateReference } from './names.ts';

const mebibyte = 1_048_576;
const bytes = (low: number) =>
  z
    .number()
    .int()
    .min(low)
    .max(1_048_576 * mebibyte);

/** Of the calls of a run's model, which the gateway counts. */
const callLimits = {
  turns_max: z
    .number()
    .int()
    .min(1)
    .max(100_000)
    .meta({ description: 'Calls of its model; one more is refused, and the run fails' }),
  tokens_max: z
    .number()
    .int()
    .min(1_000)
    .max(1_000_000_000_000)
    .meta({ description: 'Tokens in and out; when they are used no further call is let through, and the run fails' }),
};

/** Of one run; what the server allows is never exceeded, whatever stands here. */
export const templateLimits = z
  .strictObject({
    memory_bytes: bytes(16 * mebibyte),
    process_count: z.number().int().min(8).max(100_000),
    cpu_count: z.number().min(0.1).max(1_000),
    tmp_bytes: bytes(mebibyte),
    workspace_bytes: bytes(16 * mebibyte),
    output_bytes_max: bytes(1_000),
    ...callLimits,
  })
  .partial()
  .meta({ id: 'TemplateLimits' });

/** Of Skep's tools; null: all of them. */
export const templateTools = z.array(z.enum(reportToolNames)).nullable();

const toolsWords = `is all, or a list of ${reportToolNames.join(', ')}, each at most once`;

const fallbackMax = 8;

function isEachOnce(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}

/** A template as it is written. What is absent comes from the template that it extends. */
export const templateDocument = z.strictObject({
  name: templateName,
  description: z
    .string()
    .trim()
    .min(1)
    .max(500)
    .optional()
    .meta({ description: 'For people; not taken over by those that extend it' }),
  extends: templateReference
    .optional()
    .meta({ description: 'What is not said here is as there, at its newest version or at the one named' }),
  agent: z
    .strictObject({
      kind: z.enum([...commandAgents, ...codingAgents, ...plainAgents]),
      command: commandLine.meta({ description: 'Of exec and acp: program and arguments; not a shell string' }),
      model: modelName.meta({ description: 'Such as anthropic/claude-sonnet-4-5; exec may go without, http has none' }),
      timeout_ms: timeoutMs,
      ...acpFields,
      ...plainFields,
    })
    .partial()
    .optional()
    .meta({ description: 'Field by field over that of the extended template; another kind begins anew' }),
  prompt: z.string().max(20_000).optional().meta({ description: 'Told to the agent beside the ticket' }),
  tools: z
    .union([z.literal('all'), z.array(z.enum(reportToolNames)).refine(isEachOnce, { error: toolsWords })], {
      error: toolsWords,
    })
    .optional()
    .meta({ description: "Which of Skep's tools the agent has: what it may report and ask; all of them where nobody says" }),
  limits: templateLimits.optional(),
  fallback: z
    .array(templateName)
    .max(fallbackMax)
    .refine(isEachOnce, { error: 'each template may stand once' })
    .optional()
    .meta({ description: 'Templates that stand in while the model of this one does not answer, the best first' }),
});

/** Characters. */
export const templateSourceLengthMax = 65_536;

export type TemplateDocument = z.infer<typeof templateDocument>;
/** Those of the sandbox, which the server has too. */
export type SandboxLimit = Exclude<keyof TemplateLimits, keyof typeof callLimits>;
export type TemplateLimits = z.infer<typeof templateLimits>;
