// The same agent as one that speaks the Agent Client Protocol: JSON-RPC, one message a line, on stdin and stdout.
import { createInterface } from 'node:readline';
import { work } from './agent.mjs';

const sessionId = 'the-only-one';

function send(message) {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

/** What the agent says, as it says it. */
function tell(text) {
  const update = { sessionUpdate: 'agent_message_chunk', content: { type: 'text', text: `${text}\n` } };
  send({ method: 'session/update', params: { sessionId, update } });
}

const methods = {
  initialize: () => ({ protocolVersion: 1, agentCapabilities: { loadSession: false } }),
  'session/new': () => ({ sessionId }),
  async 'session/prompt'({ prompt }) {
    await work(prompt.map(part => part.text ?? '').join('\n'), tell);
    return { stopReason: 'end_turn' };
  },
  // Skep asks so before it ends an agent; this one has nothing to save.
  'session/cancel': () => process.exit(0),
};

async function answer({ id, method, params }) {
  try {
    if (methods[method] === undefined) throw new Error(`${method} is not known`);
    send({ id, result: await methods[method](params) });
  } catch (error) {
    send({ id, error: { code: -32_603, message: error.message } });
  }
}

for await (const line of createInterface({ input: process.stdin })) void answer(JSON.parse(line));
