import { systemClock } from '../../kernel/clock.ts';
import type { Agent, AgentContext, AgentOutcome, AgentSettings } from '../../worker/agent.ts';
import { farewellMs, httpProgram } from '../../worker/host/http-turn.ts';
import type { HttpTurn, WhyNoWork } from '../../worker/host/http-turn.ts';
import { jsonLines, numberIn, textIn } from './json-lines.ts';
import { outcomeOf } from './outcome.ts';

type Settings = Extract<AgentSettings, { kind: 'http' }>;

/** What comes on stdout is one short event. */
const eventBytesMax = 1_048_576;

/** An endpoint that takes the ticket and answers with files. It is reached as all else outside: by a rule of the project's network. */
export function createHttpAgent(): Agent {
  return {
    kind: 'http',
    needs: async () => ({ kind: 'met', folders: [], gateway: false }),
    async run(context) {
      const { settings } = context;
      if (settings.kind !== 'http') throw new Error(`the settings are those of ${settings.kind}`);
      // Without any rule there is no way out at all, and nobody to say which one is missing.
      return context.env['http_proxy'] === undefined ? closed(settings) : ask(context, settings);
    },
  };
}

function closed({ url }: Settings): AgentOutcome {
  const { hostname, port } = new URL(url);
  const rule = `skep project network allow PROJECT ${port === '' ? hostname : `${hostname}:${port}`}`;
  const message = `The endpoint could not be asked: the project has no rule that opens the way to ${hostname}: ${rule}`;
  return { kind: 'failed', class: 'invalid_task', message, durationMs: 0 };
}

async function ask(context: AgentContext, { url }: Settings): Promise<AgentOutcome> {
  const { task, timeoutMs, env, node, inside, start, onOutput, onUpdate } = context;
  const turn: HttpTurn = { url, task, headers: headersOf(env), timeoutMs, endsAt: systemClock.now() + timeoutMs };
  let event: Readonly<Record<string, unknown>> = {};
  const read = jsonLines({ onObject: said => void (event = said), onText: line => onOutput(Buffer.from(`${line}\n`)) });
  const exit = await start({
    argv: [node, `${inside}/${httpProgram}`],
    env,
    stdin: JSON.stringify(turn),
    outputBytesMax: eventBytesMax,
    farewellMs,
    onOutput: (stream, chunk) => (stream === 'stdout' ? read(chunk) : onOutput(chunk, stream)),
  });
  read();
  const outcome = outcomeOf(exit, { ...context, outputBytesMax: eventBytesMax }, 'Node could not be started in the sandbox');
  if (outcome.kind !== 'done') return outcome;
  if (event['event'] !== 'done') return failed(event, outcome.durationMs);
  const files = numberIn(event, 'files');
  onUpdate({
    sessionUpdate: 'agent_message_chunk',
    text: `${textIn(event, 'summary')}\n(${files} ${files === 1 ? 'file' : 'files'})`,
  });
  return outcome;
}

/** By these an endpoint that gets a ticket twice can know it again. */
function headersOf({ SKEP_RUN_ID: run = '', SKEP_TICKET_ID: ticket = '', SKEP_ATTEMPT: attempt = '' }: AgentContext['env']) {
  return { 'idempotency-key': run, 'skep-run': run, 'skep-ticket': ticket, 'skep-attempt': attempt };
}

function failed(event: Readonly<Record<string, unknown>>, durationMs: number): AgentOutcome {
  const why = textIn(event, 'why');
  const message = textIn(event, 'message') || 'it ended before there was an answer';
  const end = why in classes ? classes[why as WhyNoWork] : classes.other;
  return { kind: 'failed', class: end, message: `The endpoint has not done it: ${message}`, durationMs };
}

const classes: Readonly<Record<WhyNoWork, Extract<AgentOutcome, { kind: 'failed' }>['class']>> = {
  // The same again would end the same.
  rule: 'invalid_task',
  refused: 'invalid_task',
  // Not `network`, which blames the worker and slows it down for all projects.
  away: 'provider',
  gave_up: 'agent_failed',
  late: 'timeout',
  malformed: 'agent_failed',
  other: 'agent_failed',
};
