import { z } from 'zod';
import { title } from '../fields.ts';
import { planningPhases } from '../runs.ts';

/** What each phase of planning hands in. Every field must be there: models are asked for exactly this shape. */

/** How often a person is asked before planning goes on with what it knows. */
export const clarifyRoundsMax = 3;

const line = z.string().trim().min(1).max(2_000);
const paragraph = z.string().max(20_000);
const requirementId = z.string().regex(/^R[1-9]\d{0,2}$/, 'a requirement id looks like R1');
const taskId = z.string().regex(/^T[1-9]\d{0,2}$/, 'a task id looks like T1');
const path = z.string().trim().min(1).max(500);

/** A question whose answer changes what is built. */
export const question = z.strictObject({
  id: z.string().regex(/^Q[1-9]\d?$/, 'a question id looks like Q1'),
  text: line,
  options: z.array(z.string().trim().min(1).max(300)).max(8).meta({ description: 'Suggested answers' }),
  default: z.string().trim().min(1).max(1_000).meta({ description: 'What is assumed where nobody answers' }),
});

export const clarifyOutput = z.strictObject({
  understanding: z.string().max(4_000).meta({ description: 'What is to be built, as far as it is understood' }),
  questions: z.array(question).max(7).meta({ description: 'Empty where nothing that matters is open' }),
});

const requirement = z.strictObject({
  id: requirementId,
  statement: z
    .string()
    .trim()
    .min(1)
    .max(1_000)
    .meta({ description: 'EARS: WHEN/WHILE/IF/WHERE …, THE SYSTEM SHALL …; or THE SYSTEM SHALL …' }),
  criteria: z.array(line).max(20).meta({ description: 'How it is seen that the requirement is met' }),
});

export const requirementsOutput = z.strictObject({
  name: title.meta({ description: 'Of the spec: a few words' }),
  summary: paragraph,
  requirements: z.array(requirement).min(1).max(100),
  technical_requirements: z.array(line).max(50).meta({ description: 'What holds for all of the work' }),
});

export const designOutput = z.strictObject({
  overview: paragraph.min(1),
  components: z
    .array(z.strictObject({ name: title, responsibility: line, files: z.array(path).max(50) }))
    .min(1)
    .max(50),
  decisions: z.array(z.strictObject({ decision: line, reason: line })).max(30),
  risks: z.array(line).max(30),
});

const tasksMax = 200;

const task = z.strictObject({
  id: taskId,
  title,
  description: paragraph,
  requirements: z.array(requirementId).max(100).meta({ description: 'Which requirements it serves' }),
  acceptance_criteria: z.array(line).max(50),
  depends_on: z.array(taskId).max(tasksMax).meta({ description: 'Tasks that must be done before' }),
  files: z.array(path).max(100).meta({ description: 'What it will probably touch' }),
  estimate: z.number().min(0).max(1_000).meta({ description: 'Points' }),
});

export const tasksOutput = z.strictObject({ tasks: z.array(task).min(1).max(tasksMax) });

/** What a phase must hand in. */
export const phaseOutputs = {
  CLARIFY: clarifyOutput,
  REQUIREMENTS: requirementsOutput,
  DESIGN: designOutput,
  TASKS: tasksOutput,
} as const satisfies Record<(typeof planningPhases)[number], z.ZodType>;

/** What a spec keeps of its planning: grows phase by phase. */
export const specPlan = z
  .object({
    summary: z.string(),
    requirements: z.array(requirement),
    technical_requirements: z.array(z.string()),
    design: designOutput.nullable(),
    tasks: z.array(task),
  })
  .meta({ id: 'SpecPlan' });

/**
 * working: a run plans, or is about to; asking: a person is to answer; stopped: a person is to say that it shall go on
 * (generate-spec); done: a spec was put before a person.
 */
export const planningStates = ['working', 'asking', 'stopped', 'done'] as const;

export const planning = z
  .object({
    state: z.enum(planningStates),
    phase: z.enum(planningPhases),
    reason: z.string().nullable().meta({ description: 'Why it has stopped' }),
  })
  .meta({ id: 'Planning' });

export type Question = z.infer<typeof question>;
export type ClarifyOutput = z.infer<typeof clarifyOutput>;
export type RequirementsOutput = z.infer<typeof requirementsOutput>;
export type DesignOutput = z.infer<typeof designOutput>;
export type TasksOutput = z.infer<typeof tasksOutput>;
export type SpecPlan = z.infer<typeof specPlan>;
export type PlanningPhase = (typeof planningPhases)[number];
