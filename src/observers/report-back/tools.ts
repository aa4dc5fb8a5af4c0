import type { ReportAnswer, ReportInput, ReportTool } from '../../../contract/talk/report-back.ts';
import type { Tx } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { Fault } from '../../kernel/fault.ts';
import { getRun, haltRun, keepReport, type RunContext } from '../../stages/runs/index.ts';
import { saveMemory } from '../../support/memory/index.ts';
import { openQuestion } from '../../support/questions/index.ts';
import { askHuman, type AskParts, type Waiting } from './ask.ts';
import { getContext } from './context.ts';

/** By whose agent a tool is called, with which arguments, and how it waits. */
interface Call<Tool extends ReportTool> {
  readonly run: RunContext;
  readonly args: ReportInput<Tool>;
  readonly waiting: Waiting;
}

/** Whether the template by which a run is worked on gives its agent this tool. */
export function hasTool({ tools: given }: RunContext, tool: ReportTool): boolean {
  return given === null || given.includes(tool);
}

type Tools = { readonly [Tool in ReportTool]: (parts: AskParts, call: Call<Tool>) => Promise<ReportAnswer> };

/** Calls a tool with arguments that its schema has let pass. To do it again with the same ones does nothing new. */
export function callTool<Tool extends ReportTool>(parts: AskParts, tool: Tool, call: Call<Tool>): Promise<ReportAnswer> {
  return tools[tool](parts, call);
}

const tools: Tools = {
  get_context: ({ database }, { run }) => database.request(scopeOf(run), tx => getContext(tx, run)),
  async submit_result({ database }, { run, args: { status, summary, files = [] } }) {
    await database.engine(scopeOf(run), tx => keepReport(tx, run.runId, { status, summary, files }));
    return { message: 'Recorded; Skep checks the work itself. End your turn now, unless there is something left to do.' };
  },
  async report_blocker({ database }, { run, args }) {
    const answer = await database.engine(scopeOf(run), tx => reportBlocker(tx, run, args.reason));
    failpoint('blocker-reported');
    return answer;
  },
  ask_human: (parts, { run, args, waiting }) => askHuman(parts, run, { asked: args, waiting }),
  async save_memory({ database }, { run, args: { kind, text } }) {
    const { projectId, runId } = run;
    const isNew = await database.engine(scopeOf(run), tx => saveMemory(tx, { projectId, runId, kind, text }));
    return { message: isNew ? 'Saved for those who work on this project later.' : 'That note was there already.' };
  },
};

/**
 * The work of a ticket waits for a person; what is no ticket has none to wait, and ends with the reason. Where something else stands
 * in the way of the run already, that decides, and nobody is asked.
 */
async function reportBlocker(tx: Tx, run: RunContext, reason: string): Promise<ReportAnswer> {
  const { runId, projectId, ticketId, specId } = run;
  const { halt } = await getRun(tx, runId);
  if (halt !== null) return { message: 'Recorded: this run is being stopped already. Stop working now.' };
  if (run.subjectType !== 'ticket') {
    await haltRun(tx, runId, { kind: 'blocked', message: reason });
    return { message: 'Recorded. Stop working now.' };
  }
  const { id } = await openQuestion(tx, {
    ...{ kind: 'blocker', subject: { type: 'run', id: runId }, projectId, ticketId, runId, specId },
    text: `The agent cannot go on: ${reason}`,
    options: [{ id: 'stop', label: 'Give the ticket up' }],
  });
  await haltRun(tx, runId, { kind: 'blocked', message: reason, questionId: id });
  if ((await getRun(tx, runId)).halt?.questionId !== id) throw new Fault('lease_lost', { message: 'The run is over' });
  return { message: 'Recorded: a person is asked, and the next attempt is told the answer. Stop working now.' };
}

function scopeOf({ tenantId, runId }: RunContext): { tenantId: string; actor: string } {
  return { tenantId, actor: `run:${runId}` };
}
