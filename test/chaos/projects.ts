import type { Agent, Check } from '../../contract/projects.ts';
import { modelAgent } from '../harness/model-farm.ts';

/** What a project's agent does. */
export type Kind =
  /** Says something, and writes a file. */
  | 'plain'
  /** Fails in its first attempt. */
  | 'failing'
  /** Sleeps in its first attempt, with work that is not committed. */
  | 'sleeping'
  /** Needs what the setup command of its project leaves. */
  | 'prepared'
  /** Tells what it does, as `told`, bit by bit. */
  | 'telling'
  /** Asks a person, and works once it has an answer: `answers` are the two that there are. */
  | 'curious'
  /** Cannot go on until a person has said `key`. */
  | 'blocked'
  /** Asks a model. */
  | 'asking'
  /** Is no agent: the test holds the run itself. */
  | 'hand';

interface Staffing {
  readonly agent: Agent;
  readonly checks: readonly Check[];
  readonly setup?: readonly string[];
  readonly labels?: readonly string[];
  readonly hasRepository: boolean;
}

export const answers = { given: 'mauve', default: 'teal' } as const;
export const key = 'under the mat';
export const told: readonly string[] = ['It begins', 'It goes on', 'It goes on still', 'It is about to end', 'It ends'];

const stamp = 'mkdir -p work; echo "$SKEP_TICKET_ID" | tee "work/$SKEP_TICKET_ID.txt"';
const checks = [{ name: 'stamps', command: ['sh', '-c', '! grep -rq red work'] }];
const isTold = `*${answers.given}*|*${answers.default}*`;
const ask = `skep-report ask_human --question 'Which colour?' --options ${answers.given} --options ${answers.default} --default ${answers.default}`;

/** An agent of the ACP, in the words that are needed here. */
const teller = `
const { mkdirSync, writeFileSync } = require('node:fs');
const { createInterface } = require('node:readline');
const send = message => process.stdout.write(JSON.stringify({ jsonrpc: '2.0', ...message }) + '\\n');
const tell = (kind, text) => send({ method: 'session/update', params: { sessionId: 's', update: { sessionUpdate: kind, content: { type: 'text', text: text + '\\n' } } } });
const answers = { initialize: { protocolVersion: 1, agentCapabilities: {} }, 'session/new': { sessionId: 's' } };
createInterface({ input: process.stdin }).on('line', async line => {
  const { id, method } = JSON.parse(line);
  if (answers[method] !== undefined) return send({ id, result: answers[method] });
  if (method !== 'session/prompt') return;
  for (const text of ${JSON.stringify(told)}) {
    tell('agent_message_chunk', text);
    // Words of one kind that follow each other would be one event.
    tell('agent_thought_chunk', 'What now?');
    await new Promise(resolve => setTimeout(resolve, 300));
  }
  mkdirSync('work', { recursive: true });
  writeFileSync('work/' + process.env.SKEP_TICKET_ID + '.txt', 'told');
  send({ id, result: { stopReason: 'end_turn' } });
});`;

/** `nap`: for how long its sleepers sleep, by which they are found among all processes of the machine. */
export function staffing(kind: Kind, nap: string): Staffing {
  const inRepository = { checks, hasRepository: true };
  switch (kind) {
    case 'failing':
      return { ...inRepository, agent: exec(`[ "$SKEP_ATTEMPT" != 1 ] || exit 1; ${stamp}`) };
    case 'sleeping':
      return { ...inRepository, agent: exec(`${stamp}; [ "$SKEP_ATTEMPT" != 1 ] || exec sleep ${nap}`) };
    case 'prepared':
      return {
        ...inRepository,
        agent: exec(`[ -e deps/made ] || exit 1; ${stamp}`),
        setup: shell('mkdir deps; echo >deps/made'),
      };
    case 'telling':
      return { ...inRepository, agent: { kind: 'acp', command: ['node', '-e', teller], model } };
    case 'curious': {
      const hear = `case "$heard" in ${isTold}) ;; *) heard=$(${ask}) || exit 1;; esac`;
      return { ...inRepository, agent: exec(`${feedback}; ${hear}; case "$heard" in ${isTold}) ${stamp};; esac`, model) };
    }
    case 'blocked': {
      const report = "skep-report report_blocker --reason 'The key is missing' || exit 1";
      return { ...inRepository, agent: exec(`${feedback}; case "$heard" in *'${key}'*) ${stamp};; *) ${report};; esac`, model) };
    }
    case 'asking':
      return { agent: modelAgent('ask', { calls: 1, isPatient: true }), checks: [], hasRepository: false };
    case 'hand':
      return { agent: exec(stamp), checks: [], labels: ['hand'], hasRepository: false };
    default:
      return { ...inRepository, agent: exec(stamp) };
  }
}

const model = 'local/m';
const feedback = 'heard=$(cat "$SKEP_FEEDBACK" 2>/dev/null)';

const shell = (script: string): string[] => ['sh', '-c', script];

function exec(script: string, own?: string): Agent {
  return { kind: 'exec', command: shell(script), ...(own === undefined ? {} : { model: own }) };
}
