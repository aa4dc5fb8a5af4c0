import { client, methods, PROTOCOL_VERSION } from '@agentclientprotocol/sdk/unstable';
import type {
  ClientContext,
  InitializeRequest,
  InitializeResponse,
  LoadSessionRequest,
  LoadSessionResponse,
  NewSessionRequest,
  NewSessionResponse,
  PermissionOption,
  PromptRequest,
  PromptResponse,
  Stream,
} from '@agentclientprotocol/sdk/unstable';
import { readFileSync, writeFileSync } from 'node:fs';
import { systemClock } from '../../kernel/clock.ts';
import type { AcpTurn } from '../../worker/host/acp-turn.ts';
import { tell } from './tell.ts';
import { createCount, usedIn } from './usage.ts';
import type { Used } from './usage.ts';

interface Given {
  readonly turn: AcpTurn;
  /** Aborted: the agent is asked to end its turn. */
  readonly stop: AbortSignal;
}

/** How a turn ended, and what it used as the agent counts. */
interface Ended extends Used {
  readonly stopReason: string;
}

/** Agents read a lot before they answer first, on a busy machine for a minute. */
const startMsMax = 180_000;

/** One turn of the agent at the other end. Throws what the agent said where it could not end its turn. */
export async function converse(stream: Stream, { turn, stop }: Given): Promise<Ended> {
  let isListening = false;
  let hasWorked = false;
  const counted = createCount();
  const app = client({ name: 'skep' })
    // It is in a sandbox already: whatever it asks to do there, it may.
    .onRequest(methods.client.session.requestPermission, ({ params }) => {
      // Some tell of a call by asking for it alone.
      if (isListening)
        tell({ event: 'update', update: { ...params.toolCall, status: 'in_progress', sessionUpdate: 'tool_call' } });
      return { outcome: allowed(params.options) };
    })
    .onNotification(methods.client.session.update, ({ params }) => {
      if (!isListening) return;
      const { sessionUpdate, _meta: more } = params.update;
      hasWorked ||= isWork(sessionUpdate);
      counted.add(more?.['usage']);
      tell({ event: 'update', update: params.update });
    });
  return app.connectWith(stream, async agent => {
    const { agentCapabilities } = await begin(agent);
    const session = {
      cwd: process.cwd(),
      mcpServers: agentCapabilities?.mcpCapabilities?.http === true ? [tools(turn.mcpUrl)] : [],
    };

    async function ask(sessionId: string, words: string): Promise<Ended> {
      isListening = true;
      const cancel = (): void => void agent.notify(methods.agent.session.cancel, { sessionId });
      stop.addEventListener('abort', cancel, { once: true });
      try {
        const prompt = [{ type: 'text' as const, text: words }];
        const { stopReason, usage, _meta } = await agent.request<PromptResponse, PromptRequest>(methods.agent.session.prompt, {
          sessionId,
          prompt,
        });
        refuseFailure(_meta);
        const quota = _meta?.['quota'] as { readonly token_count?: unknown } | undefined;
        return { stopReason, ...(usedIn(usage) ?? usedIn(quota?.token_count) ?? counted.sum()) };
      } finally {
        stop.removeEventListener('abort', cancel);
      }
    }

    async function askNew(begins: 'new' | 'anew'): Promise<Ended> {
      isListening = false;
      const asked = agent.request<NewSessionResponse, NewSessionRequest>(methods.agent.session.new, session);
      const { sessionId } = await within(asked);
      if (turn.sessionFile !== undefined) writeFileSync(turn.sessionFile, JSON.stringify({ sessionId }), { mode: 0o600 });
      tell({ event: 'session', begins });
      return ask(sessionId, turn.prompt);
    }

    const before = agentCapabilities?.loadSession === true ? lastSession(turn.sessionFile) : undefined;
    if (before === undefined) return askNew(turn.sessionFile !== undefined && isThere(turn.sessionFile) ? 'anew' : 'new');
    try {
      await within(
        agent.request<LoadSessionResponse, LoadSessionRequest>(methods.agent.session.load, { sessionId: before, ...session }),
      );
      tell({ event: 'session', begins: 'again' });
      return await ask(before, turn.promptAgain);
    } catch (error) {
      // Of an agent that has worked what it did stands. Of one that is gone nothing more is to be had.
      if (hasWorked || stop.aborted || isGone(error)) throw error;
      return askNew('anew');
    }
  });
}

async function begin(agent: ClientContext) {
  const clientCapabilities = {
    ...{ fs: { readTextFile: false, writeTextFile: false }, terminal: false },
    _meta: { terminal_output_delta: true, jetbrains: { air: { version: 1, capabilities: ['sessionFailure'] } } },
  };
  const asked = agent.request<InitializeResponse, InitializeRequest>(methods.agent.initialize, {
    protocolVersion: PROTOCOL_VERSION,
    clientCapabilities,
  });
  return within(asked);
}

/**
 * A turn that has failed is an end like any other to the bridge of Codex, and says why in its own words alone, unless the client asks to
 * be told. Throws that as an answer of the agent.
 */
function refuseFailure(meta: PromptResponse['_meta']): void {
  const { air } = (meta?.['jetbrains'] ?? {}) as { readonly air?: { readonly sessionFailure?: { readonly title?: unknown } } };
  const failure = air?.sessionFailure;
  if (failure !== undefined && failure !== null) throw Object.assign(new Error(String(failure.title)), { code: -32_603 });
}

async function within<T>(answer: Promise<T>): Promise<T> {
  const over = new AbortController();
  const late = systemClock.sleep(startMsMax, over.signal).then((): never => {
    throw new Error(`it did not answer within ${startMsMax / 1_000} s of its start`);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    over.abort();
  }
}

function allowed(options: readonly PermissionOption[]) {
  const option = options.find(({ kind }) => kind === 'allow_once') ?? options.find(({ kind }) => kind === 'allow_always');
  if (option === undefined) return { outcome: 'cancelled' as const };
  return { outcome: 'selected' as const, optionId: option.optionId };
}

function tools(url: string) {
  const headers = [{ name: 'Authorization', value: `Bearer ${process.env['SKEP_RUN_TOKEN'] ?? ''}` }];
  return { type: 'http' as const, name: 'skep', url, headers };
}

/** What the model has said or done; agents also tell what commands they know. */
function isWork(update: string): boolean {
  return /^(?:agent_message_chunk|agent_thought_chunk|tool_call|plan)/.test(update);
}

function lastSession(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  try {
    const { sessionId } = JSON.parse(readFileSync(file, 'utf8')) as { readonly sessionId?: unknown };
    return typeof sessionId === 'string' && sessionId !== '' ? sessionId : undefined;
  } catch {
    return undefined;
  }
}

function isThere(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}

/** An answer of the agent has a code; a connection that is closed has none. */
function isGone(error: unknown): boolean {
  return typeof error !== 'object' || error === null || !('code' in error);
}
