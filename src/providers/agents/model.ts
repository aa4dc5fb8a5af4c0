import type { Agent, AgentOutcome } from '../../worker/agent.ts';
import { modelProgram } from '../../worker/host/model-turn.ts';
import type { ModelTurn, WhyNoFile } from '../../worker/host/model-turn.ts';
import { jsonLines, numberIn, textIn } from './json-lines.ts';
import { outcomeOf } from './outcome.ts';

/** What comes on stdout is one event with the answer in it. */
const eventBytesMax = 16 * 1_048_576;

/** A plain call of a model, for work that needs no coding agent: its answer becomes one file. */
export function createModelAgent(): Agent {
  return {
    kind: 'model',
    needs: async () => ({ kind: 'met', folders: [], gateway: true }),
    async run(context) {
      const { settings, task, env, node, inside, start, onOutput, onUpdate } = context;
      if (settings.kind !== 'model') throw new Error(`the settings are those of ${settings.kind}`);
      const { model, output, prompt = null, files = [] } = settings;
      const turn: ModelTurn = { model, output, prompt, files, task };
      let event: Readonly<Record<string, unknown>> = {};
      const read = jsonLines({ onObject: said => void (event = said), onText: line => onOutput(Buffer.from(`${line}\n`)) });
      const exit = await start({
        argv: [node, `${inside}/${modelProgram}`],
        env,
        stdin: JSON.stringify(turn),
        outputBytesMax: eventBytesMax,
        onOutput: (stream, chunk) => (stream === 'stdout' ? read(chunk) : onOutput(chunk, stream)),
      });
      read();
      if (event['event'] === 'written') {
        onUpdate({ sessionUpdate: 'agent_message_chunk', text: textIn(event, 'text') });
        const [inputTokens, outputTokens] = [numberIn(event, 'inputTokens'), numberIn(event, 'outputTokens')];
        onUpdate({ sessionUpdate: 'usage_update', inputTokens, outputTokens });
      }
      const outcome = outcomeOf(exit, { ...context, outputBytesMax: eventBytesMax }, 'Node could not be started in the sandbox');
      return outcome.kind === 'done' ? judge(event, outcome) : outcome;
    },
  };
}

function judge(event: Readonly<Record<string, unknown>>, done: Extract<AgentOutcome, { kind: 'done' }>): AgentOutcome {
  if (event['event'] === 'written') return done;
  const why = textIn(event, 'why');
  const message = textIn(event, 'message') || 'it ended before it had an answer';
  const end = why in ends ? ends[why as WhyNoFile] : ends.other;
  return { kind: 'failed', durationMs: done.durationMs, ...end, message: `The model's file could not be made: ${message}` };
}

type End = Pick<Extract<AgentOutcome, { kind: 'failed' }>, 'class' | 'stopReason'>;

const ends: Readonly<Record<WhyNoFile, End>> = {
  refused: { class: 'model' },
  no_answer: { class: 'provider' },
  cut_off: { class: 'agent_failed', stopReason: 'max_tokens' },
  unwilling: { class: 'agent_failed', stopReason: 'refusal' },
  empty: { class: 'agent_failed' },
  // The same again would end the same.
  path: { class: 'invalid_task' },
  other: { class: 'agent_failed' },
};
