import type { SessionUpdate } from '../../worker/agent.ts';

/** An event of an agent's own stream. */
export type AgentEvent = Readonly<Record<string, unknown>>;

/** How a turn stands by the events so far. */
export interface Turn {
  /** Turns what the agent prints into updates. */
  read(event: AgentEvent): readonly SessionUpdate[];
  readonly isCompleted: boolean;
  /** Whether the model has said or done anything. */
  readonly hasWorked: boolean;
  /** The words of the error that ended it. */
  readonly failure: string | undefined;
}
