import { z } from 'zod';
import { memoryKinds, memoryTextMax } from './memories.ts';
import { questionTextMax } from './questions.ts';

const said = (max: number) => z.string().trim().min(1).max(max);

/**
 * What the agent of a run may call, over MCP (POST /gateway/mcp) or as POST /gateway/report/<tool> with the arguments as JSON, both
 * with the run token. Each call may be made again: the second one does nothing new.
 */
export const reportTools = {
  get_context: z.strictObject({}),
  submit_result: z.strictObject({
    status: z.enum(['done', 'partial']).meta({ description: 'partial: something of the task is still missing' }),
    summary: said(20_000).meta({ description: 'What was done, and what was left out and why' }),
    files: z.array(said(500)).max(500).optional().meta({ description: 'The files that matter' }),
  }),
  report_blocker: z.strictObject({
    reason: said(questionTextMax - 100).meta({ description: 'What stands in the way, and what would clear it' }),
  }),
  ask_human: z.strictObject({
    question: said(questionTextMax),
    options: z.array(said(200)).max(10).optional().meta({ description: 'Answers to choose from' }),
    default: said(questionTextMax).optional().meta({ description: 'What holds where nobody answers in time' }),
  }),
  save_memory: z.strictObject({ kind: z.enum(memoryKinds), text: said(memoryTextMax) }),
} as const;

export type ReportTool = keyof typeof reportTools;
export type ReportInput<Tool extends ReportTool> = z.infer<(typeof reportTools)[Tool]>;

export const reportToolNames = Object.keys(reportTools) as [ReportTool, ...ReportTool[]];

/** For the agent to read. */
export const reportToolTexts: Readonly<Record<ReportTool, string>> = {
  get_context:
    'What this run is about: the ticket with its acceptance criteria, what was wrong with the last attempt, and notes that agents of earlier runs left.',
  submit_result:
    'Say that your work is finished (done), or how far it has come (partial), with a short summary. Skep checks the work itself. Commit nothing for it: the files of the working folder are what counts.',
  report_blocker:
    'Say that you cannot go on, and why: a person decides. Then stop working. Only for what you cannot clear yourself.',
  ask_human:
    'Ask a person. Where the answer takes long, you are told to end your turn, and go on in this same conversation once it is there; the same question asked again has its answer. Only where the task leaves open what you cannot decide yourself.',
  save_memory: 'Leave a short note for agents who work on this project later: what cost you time to find out.',
};

/** Answers; `message` is for the agent to read. */
export const reportAnswer = z.looseObject({ message: z.string() });
export type ReportAnswer = z.infer<typeof reportAnswer>;
