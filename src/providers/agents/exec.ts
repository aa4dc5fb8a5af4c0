import type { Agent } from '../../worker/agent.ts';
import { outcomeOf } from './outcome.ts';

/**
 * A command of the user's own: the ticket comes as JSON on stdin and in the file $SKEP_TICKET; exit code 0 means done. Where the
 * settings name a model it is given the gateway too, and SKEP_MODEL.
 */
export function createExecAgent(): Agent {
  return {
    kind: 'exec',
    needs: async settings => ({ kind: 'met', folders: [], gateway: 'model' in settings && settings.model !== undefined }),
    async run(context) {
      const { settings, task, start, onOutput } = context;
      if (settings.kind !== 'exec') throw new Error(`the settings are those of ${settings.kind}`);
      const [program = '', ...args] = settings.command;
      const env = { ...context.env, ...(settings.model === undefined ? {} : { SKEP_MODEL: settings.model }) };
      const exit = await start({
        argv: [program, ...args],
        env,
        stdin: task,
        onOutput: (stream, chunk) => onOutput(chunk, stream),
      });
      return outcomeOf(exit, context, missing(program));
    },
  };
}

function missing(program: string): string {
  return `The agent's program '${program}' does not exist in the sandbox or cannot be executed: of the machine's programs the sandbox has those under /usr only; one of the repository is named by its path, such as ./agent.sh`;
}
