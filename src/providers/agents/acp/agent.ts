import type { AgentProgram } from '../../../worker/agent.ts';

/** What an agent is told that speaks the Agent Client Protocol. */
export interface AcpAgent {
  /** What makes it speak it. */
  readonly args: (given: Given) => readonly string[];
  readonly env: (given: Given) => Readonly<Record<string, string>>;
  readonly home: (given: Given) => NonNullable<AgentProgram['home']>;
  /** The folder of its HOME with its conversations, where it can go on with one in another sandbox. */
  readonly conversations?: string;
  /** Whether it names their files by the minute, and in the same one would write over what it is to go on with. */
  readonly byMinute?: boolean;
}

export interface Given {
  readonly model: string;
  readonly gatewayUrl: string;
  readonly token: string;
}
