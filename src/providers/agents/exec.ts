import type { Agent, AgentContext, AgentOutcome } from '../../worker/agent.ts';
import type { SandboxExit } from '../../worker/sandbox.ts';

/** A command of the user's own: the ticket comes as JSON on stdin and in the file $SKEP_TICKET; exit code 0 means done. */
export function createExecAgent(): Agent {
  return {
    kind: 'exec',
    async run(context) {
      const { sandbox, settings, task, env, timeoutMs, outputBytesMax, signal, onStart, onOutput } = context;
      if (settings.kind !== 'exec') throw new Error(`the agent exec was given the settings of ${settings.kind}`);
      const [program = '', ...args] = settings.command;
      const argv = [program, ...args] as const;
      const exit = await sandbox.exec({ argv, env, stdin: task, timeoutMs, outputBytesMax, signal, onStart, onOutput });
      return outcomeOf(exit, { ...context, program });
    },
  };
}

/** What the end of the command means for the run. */
function outcomeOf(
  exit: SandboxExit,
  { program, timeoutMs, outputBytesMax }: Pick<AgentContext, 'timeoutMs' | 'outputBytesMax'> & { readonly program: string },
): AgentOutcome {
  const { durationMs } = exit;
  switch (exit.reason) {
    case 'exited':
      return exit.code === 0
        ? { kind: 'done', durationMs }
        : { kind: 'failed', class: 'agent_failed', message: `The agent ended with exit code ${exit.code}`, durationMs };
    case 'signaled':
      return { kind: 'failed', class: 'agent_failed', message: `The agent was ended by ${exit.signal}`, durationMs };
    case 'not_found':
      return { kind: 'failed', class: 'agent_missing', message: missing(program), durationMs };
    case 'timeout':
      return { kind: 'failed', class: 'timeout', message: `The agent did not end within ${timeoutMs} ms`, durationMs };
    case 'output_limit':
      return {
        kind: 'failed',
        class: 'output_limit',
        message: `The agent printed more than ${outputBytesMax} bytes`,
        durationMs,
      };
    case 'out_of_memory':
      return { kind: 'failed', class: 'out_of_memory', message: 'The agent used more memory than its sandbox has', durationMs };
    default:
      return { kind: 'aborted' };
  }
}

function missing(program: string): string {
  return `The agent's program '${program}' does not exist in the sandbox or cannot be executed: of the machine's programs the sandbox has those under /usr only; one of the repository is named by its path, such as ./agent.sh`;
}
