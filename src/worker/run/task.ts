import type { Claimed } from '../../../contract/runs.ts';
import type { Agent, AgentSettings } from '../agent.ts';
import { runFailure } from '../failure.ts';
import type { Conflict } from './git/merge.ts';
import { answersText, promptAgainOf, promptOf } from './prompt.ts';

/** What an agent is given to do. */
export interface Task {
  readonly agent: Agent;
  readonly settings: AgentSettings;
  readonly branch: string;
  readonly commitMessage: string;
  readonly timeoutMs: number;
  /** What a sandbox shows read-only. */
  readonly files: readonly { readonly path: string; readonly content: string }[];
  /** What is read from stdin: the ticket, and of a merge what is to be resolved. */
  json(conflict?: Conflict): string;
  /** The same as words to a coding agent. */
  prompt(conflict?: Conflict): string;
  /** The same to one that goes on with its conversation. */
  readonly promptAgain: string;
  env(conflict?: Conflict): Readonly<Record<string, string>>;
}

const ticketPath = '/skep/ticket.json';
const feedbackPath = '/skep/feedback.txt';

/** Throws a run failure `invalid_task` for what this worker can't do: no try of another worker of its kind will end better. */
export function taskOf(
  { run, ticket, agent: settings, template, limits, project, setup, task }: Claimed,
  agents: readonly Agent[],
): Task {
  if (ticket === null) throw runFailure('invalid_task', `A run of a ${run.subject_type} without a ticket can't be worked on`);
  if (settings === null) {
    throw runFailure('invalid_task', `The project '${project.name}' has no agent: give it one with 'skep project set'`);
  }
  const agent = agents.find(({ kind }) => kind === settings.kind);
  if (agent === undefined) throw runFailure('invalid_task', `This worker has no agent of the kind '${settings.kind}'`);
  const { feedback, merge, answers = [] } = task;
  const branch = `skep/${ticket.id}`;
  const title = merge === null ? ticket.title : `Merge ${merge.slice(0, 12)} into ${branch}`;
  const known = { SKEP_TICKET: ticketPath, SKEP_TICKET_ID: ticket.id, SKEP_RUN_ID: run.id, SKEP_ATTEMPT: String(run.attempt) };
  const words = [feedback?.text ?? '', answersText(answers)].filter(text => text !== '').join('\n\n');
  const told = words === '' ? {} : { SKEP_FEEDBACK: feedbackPath };
  const json = (conflict?: Conflict): string =>
    asJson({
      ...ticket,
      feedback,
      ...(answers.length === 0 ? {} : { answers }),
      ...(template === null ? {} : { template }),
      ...(conflict === undefined ? {} : { conflict }),
    });
  return {
    agent,
    settings,
    branch,
    commitMessage: `${title}\n\nSkep-Ticket: ${ticket.id}\nSkep-Run: ${run.id}\n`,
    timeoutMs: Math.min(settings.timeout_ms ?? limits.timeout_ms, limits.timeout_ms),
    files: [{ path: ticketPath, content: json() }, ...(words === '' ? [] : [{ path: feedbackPath, content: words }])],
    json,
    prompt: conflict => promptOf({ ticket, task, conflict, setup, template }),
    promptAgain: promptAgainOf({ ticket, task, template }),
    env: conflict => ({ ...known, ...told, ...(conflict === undefined ? {} : { SKEP_CONFLICT: conflict.files.join('\n') }) }),
  };
}

function asJson(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
