import { text } from 'node:stream/consumers';
import type { AcpTurn } from '../worker/host/acp-turn.ts';
import { startAgent } from './acp/agent.ts';
import { setAside } from './acp/aside.ts';
import { converse } from './acp/converse.ts';
import { tell } from './acp/tell.ts';

// A client of the Agent Client Protocol, beside the agent in its sandbox: starts it, has one turn with it, and tells the worker what
// it does. Asked to end by SIGINT, it lets the agent end its turn first.

const turn = JSON.parse(await text(process.stdin)) as AcpTurn;
const stop = new AbortController();
process.on('SIGINT', () => stop.abort());

if (turn.byMinute !== undefined) setAside(turn.byMinute);
const agent = startAgent(turn.argv);
try {
  const { stopReason, inputTokens, outputTokens } = await converse(agent.stream, { turn, stop: stop.signal });
  // Nobody has asked for that. Of an agent that works in a process below its first one this is what is said where that was killed.
  const death = stopReason === 'cancelled' && !stop.signal.aborted ? await agent.end() : undefined;
  tell(death?.event === 'died' ? death : { event: 'ended', stopReason, inputTokens, outputTokens });
} catch (error) {
  tell((await agent.end()) ?? { event: 'failed', message: wordsOf(error) });
}
await agent.end();
// Whatever the agent has left running ends with this sandbox's command.
process.stdout.write('', () => process.exit(0));

/** Agents put what their provider said behind a general message. */
function wordsOf(error: unknown): string {
  const { message, data } = error as { readonly message?: unknown; readonly data?: unknown };
  const more = data === undefined || data === null ? '' : typeof data === 'string' ? data : JSON.stringify(data);
  return [typeof message === 'string' ? message : String(error), more.slice(0, 4_000)].filter(part => part !== '').join(': ');
}
