import type { Claimed } from '../../../contract/runs.ts';
import type { WireTicket } from '../../../contract/tickets.ts';
import type { Agent, AgentSettings } from '../agent.ts';
import { runFailure } from '../failure.ts';

/** What an agent is given to do. */
export interface Task {
  readonly ticket: WireTicket;
  readonly agent: Agent;
  readonly settings: AgentSettings;
  readonly branch: string;
  readonly json: string;
  readonly env: Readonly<Record<string, string>>;
  readonly commitMessage: string;
  readonly timeoutMs: number;
}

/** Where a sandbox holds the ticket. */
export const ticketPath = '/skep/ticket.json';

/** Throws a run failure `invalid_task` for what this worker can't do: no try of another worker of its kind will end better. */
export function taskOf({ run, ticket, agent: settings, limits, project }: Claimed, agents: readonly Agent[]): Task {
  if (ticket === null) throw runFailure('invalid_task', `This worker runs tickets, not a ${run.subject_type}`);
  if (settings === null) {
    throw runFailure('invalid_task', `The project '${project.name}' has no agent: give it one with 'skep project edit'`);
  }
  const agent = agents.find(({ kind }) => kind === settings.kind);
  if (agent === undefined) throw runFailure('invalid_task', `This worker has no agent of the kind '${settings.kind}'`);
  return {
    ticket,
    agent,
    settings,
    branch: `skep/${ticket.id}`,
    json: `${JSON.stringify(ticket, null, 2)}\n`,
    env: { SKEP_TICKET: ticketPath, SKEP_TICKET_ID: ticket.id, SKEP_RUN_ID: run.id, SKEP_ATTEMPT: String(run.attempt) },
    commitMessage: `${ticket.title}\n\nSkep-Ticket: ${ticket.id}\nSkep-Run: ${run.id}\n`,
    timeoutMs: Math.min(settings.timeout_ms ?? limits.timeout_ms, limits.timeout_ms),
  };
}
