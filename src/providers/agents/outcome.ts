import type { AgentContext, AgentOutcome, SessionUpdate } from '../../worker/agent.ts';
import type { SandboxExit } from '../../worker/sandbox.ts';

/** Said once, where an agent that was to go on with its conversation could not. */
export const beginsAnew: SessionUpdate = {
  sessionUpdate: 'agent_thought_chunk',
  text: 'The conversation could not be gone on with; a new one begins.',
};

type Limits = Pick<AgentContext, 'timeoutMs' | 'outputBytesMax'>;

/** What the end of an agent's program means for the run, where nothing else is known of it. `missing`: what to say of one that is not there. */
export function outcomeOf(exit: SandboxExit, { timeoutMs, outputBytesMax }: Limits, missing: string): AgentOutcome {
  const { durationMs } = exit;
  const failed = { kind: 'failed', durationMs } as const;
  switch (exit.reason) {
    case 'exited':
      return exit.code === 0
        ? { kind: 'done', stopReason: 'end_turn', durationMs }
        : { ...failed, class: 'agent_failed', message: `The agent ended with exit code ${exit.code}` };
    case 'signaled':
      return { ...failed, class: 'agent_died', message: `The agent was ended by ${exit.signal}, which Skep did not send` };
    case 'not_found':
      return { ...failed, class: 'agent_missing', message: missing };
    case 'timeout':
      return { ...failed, class: 'timeout', message: `The agent did not end within ${timeoutMs} ms` };
    case 'output_limit':
      return { ...failed, class: 'output_limit', message: `The agent printed more than ${outputBytesMax} bytes` };
    case 'workspace_full':
      return {
        ...failed,
        class: 'output_limit',
        message: `The workspace is larger than ${mebibytes(exit.workspaceBytesMax)} MiB`,
      };
    case 'out_of_memory':
      return { ...failed, class: 'out_of_memory', message: 'The agent used more memory than its sandbox has' };
    default:
      return { kind: 'aborted' };
  }
}

function mebibytes(bytes: number): number {
  return Math.floor(bytes / 2 ** 20);
}
