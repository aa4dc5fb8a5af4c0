import { z } from 'zod';

/**
 * A recording: what a model answered once, scene by scene, in words that no agent and no wire knows, so that it can be played to
 * every agent on every wire. docs/guides/recording.md explains it to people.
 */
const line = z.string().max(1_048_576);
const name = z.string().min(1).max(1_000);

const pattern = z.string().min(1).max(2_000).refine(isPattern, 'is not a regular expression');

const single = z.union([z.string().min(1).max(10_000), z.strictObject({ matches: pattern })], {
  error: 'must be a text that is to be contained, or {"matches": "a regular expression"}',
});

const expectation = z.union([single, z.array(single).min(1).max(20)], {
  error: 'must be a text that is to be contained, {"matches": "a regular expression"}, or a list of those',
});

const content = z.string().max(4 * 1_048_576);
const path = z.string().min(1).max(4_096);
const jsonObject = z.record(z.string(), z.unknown());

/** What an agent is to do, in neutral words; tools/ finds the tool of the agent for it. */
const call = z
  .strictObject({
    /** A line for the shell. */
    // shell: that of the sandbox, which the agent runs it in
    shell: content.min(1).optional(),
    read: z.strictObject({ path }).optional(),
    write: z.strictObject({ path, content }).optional(),
    /** `old` must stand in the file exactly once. */
    edit: z.strictObject({ path, old: content.min(1), new: content }).optional(),
    /** A tool by which agents report to Skep, such as submit_result. */
    report: z.strictObject({ tool: name, args: jsonObject }).optional(),
    /** A tool of one agent, as that agent names it. */
    tool: z.strictObject({ name, input: jsonObject }).optional(),
  })
  .refine(one => Object.values(one).filter(value => value !== undefined).length === 1, {
    error: 'must hold exactly one of shell, read, write, edit, report and tool',
  });

const step = z
  .strictObject({
    /** Of the first step: on what the agent was asked. Of a later one: on what its last call has put out. */
    expect: expectation.optional(),
    say: line.optional(),
    call: call.optional(),
    /** The answer where structured output is asked for. */
    object: jsonObject.optional(),
    delay_ms: z.number().int().min(0).max(60_000).optional(),
  })
  .refine(({ say, call, object }) => say !== undefined || call !== undefined || object !== undefined, {
    error: 'must hold say, call or object',
  })
  .refine(({ say, call, object }) => object === undefined || (say === undefined && call === undefined), {
    error: 'holds an object, which is a whole answer: say and call belong into steps of their own',
  });

/** What is given must be so in the run; what is not given may be anything. */
const match = z
  .strictObject({
    subject: z.enum(['ticket', 'spec_phase', 'review', 'conflict', 'diagnosis']).optional(),
    title: name.optional(),
    phase: name.optional(),
    /** How often the subject came back from a review before this run; 0 in the first. */
    round: z.number().int().min(0).max(1_000).optional(),
  })
  .refine(one => Object.keys(one).length > 0, { error: 'must hold at least one of subject, title, phase and round' });

const scene = z.strictObject({ match, steps: z.array(step).min(1).max(1_000) }).superRefine(({ steps }, context) => {
  const end = steps.findIndex(step => step.call === undefined);
  const unreached = end === -1 ? -1 : steps.findIndex((step, i) => i > end && !areAlternatives(steps[end], step));
  if (unreached === -1) return;
  context.addIssue({
    code: 'custom',
    path: ['steps', unreached],
    message: `is never reached: step ${end} has no call, which ends the turn. Give the next turn a scene of its own`,
  });
});

export const recordingFile = z.strictObject({
  format: z.literal(1, { error: 'must be 1: other formats are not known to this version' }),
  name,
  /** `provider/model` whose prices are shown. Nothing is paid. */
  priced_as: z.string().regex(/^[^/\s]+\/\S+$/, 'must name a model as provider/model, such as openai/gpt-5-codex'),
  scenes: z.array(scene).min(1).max(10_000),
});

export type RecordingFile = z.infer<typeof recordingFile>;
export type Scene = z.infer<typeof scene>;
export type Match = z.infer<typeof match>;
export type Step = z.infer<typeof step>;
export type NeutralCall = z.infer<typeof call>;
export type Expectation = z.infer<typeof expectation>;

/** Objects at the end of a scene are told apart by what they expect. */
function areAlternatives(one: Step | undefined, other: Step): boolean {
  return one?.object !== undefined && other.object !== undefined;
}

function isPattern(text: string): boolean {
  try {
    return new RegExp(text, 'm') instanceof RegExp;
  } catch {
    return false;
  }
}
