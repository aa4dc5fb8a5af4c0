import { expect, test } from 'vitest';
import { answers } from '../../../test/harness/model-answers.ts';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import type { RunContext } from '../../stages/runs/index.ts';
import type { Settlement } from '../ledger.ts';
import { retryLimits } from '../model/retry.ts';
import { type Upstream, UpstreamError, type Wire } from '../upstream.ts';
import { createHolds } from './holds.ts';
import { answerCall } from './index.ts';
import { type CallParts, type Client, Cut } from './types.ts';

const wires: readonly Wire[] = ['anthropic', 'chat', 'responses', 'gemini'];
/** What no client may see but at the end of a whole answer. */
const terminals: Readonly<Record<Wire, string>> = {
  anthropic: 'message_stop',
  chat: '[DONE]',
  responses: 'response.completed',
  gemini: 'finishReason',
};

const noWait: Clock = { ...systemClock, sleep: async (ms, signal) => (ms > 4_000 ? systemClock.sleep(ms, signal) : undefined) };

test.each(wires)('%s: cut at any byte, an answer is whole only with its terminal event', async wire => {
  const bytes = Buffer.from(answers[wire].events.join(''));
  const lastEvent = Buffer.byteLength(answers[wire].unfinished.join(''));
  for (let offset = 0; offset <= bytes.length; offset++) {
    for (const how of ['broken', 'ended'] as const) {
      const told = await callWith(wire, bytes.subarray(0, offset), how);
      const isWhole = offset >= terminalEnd(wire, bytes, lastEvent);
      expect([offset, how, told.state]).toEqual([offset, how, isWhole ? 'completed' : told.isBegun ? 'incomplete' : 'failed']);
      expect([offset, how, told.isCut]).toEqual([offset, how, !isWhole && told.isBegun]);
      expect([offset, how, told.text.includes(terminals[wire]) && !isWhole]).toEqual([offset, how, false]);
      // Whatever was passed on can be read to its end: no event is half.
      expect([offset, how, dataOf(told.text).filter(data => data !== '[DONE]' && !isJson(data))]).toEqual([offset, how, []]);
      expect([offset, how, isWhole || dataOf(told.text).at(-1)?.includes('"error"')]).toEqual([offset, how, true]);
    }
  }
});

test('a call whose client is gone when its budget is granted sends nothing and costs nothing', async () => {
  const settlements: Settlement[] = [];
  const leaving = new AbortController();
  let opened = 0;
  const upstream = upstreamOf(Buffer.from(''), 'ended');
  const open: Upstream['open'] = call => {
    opened++;
    return upstream.open(call);
  };
  const parts = partsOf({ ...upstream, open }, settlements);
  const ledger: CallParts['ledger'] = {
    ...parts.ledger,
    reserve: async (wanted, signal) => {
      leaving.abort(new Cut('client_gone'));
      return parts.ledger.reserve(wanted, signal);
    },
  };
  const client: Client = { answer() {}, begin() {}, write: async () => {}, end() {}, cut() {} };
  await answerCall({ ...parts, ledger }, asked('chat'), { client, signal: leaving.signal });
  expect([opened, settlements]).toMatchObject([0, [{ state: 'failed', attempts: 0, usage: { inputTokens: 0 } }]]);
});

/** Where the terminal event has come with its blank line. */
function terminalEnd(wire: Wire, bytes: Buffer, lastEvent: number): number {
  return wire === 'gemini' ? bytes.length : lastEvent + Buffer.byteLength(answers[wire].events.at(-1) ?? '');
}

function dataOf(text: string): string[] {
  return text.startsWith('{') ? [text] : text.split('\n').flatMap(line => (line.startsWith('data: ') ? [line.slice(6)] : []));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

interface Told {
  readonly state: string | undefined;
  readonly isBegun: boolean;
  readonly isCut: boolean;
  readonly text: string;
}

async function callWith(wire: Wire, bytes: Uint8Array, how: 'broken' | 'ended'): Promise<Told> {
  const settlements: Settlement[] = [];
  let text = '';
  let isBegun = false;
  let isCut = false;
  const client: Client = {
    answer: (_status, _headers, body) => void (text += String(body)),
    begin: () => void (isBegun = true),
    write: async chunk => void (text += Buffer.from(chunk).toString()),
    end() {},
    cut: () => void (isCut = true),
  };
  await answerCall(partsOf(upstreamOf(bytes, how), settlements), asked(wire), { client, signal: new AbortController().signal });
  expect(settlements).toHaveLength(1);
  return { state: settlements[0]?.state, isBegun, isCut, text };
}

function upstreamOf(bytes: Uint8Array, how: 'broken' | 'ended'): Upstream {
  async function* body(): AsyncGenerator<Uint8Array> {
    yield bytes;
    if (how === 'broken') throw new UpstreamError('cut_off', 'the connection was lost');
  }
  const open = async () => ({ status: 200, headers: { 'content-type': 'text/event-stream' }, body: body() });
  return { name: 'p', label: 'p', wires, isRecorded: false, open };
}

function partsOf(upstream: Upstream, settlements: Settlement[]): CallParts {
  const provider = { name: 'p', wires, kind: null, isRecorded: false, keyVariable: null, pricedAs: null };
  return {
    catalog: { providers: new Map([['p', provider]]), aliases: new Map(), prices: new Map(), modelsFile: 'models.json' },
    upstreams: new Map([['p', upstream]]),
    ledger: {
      reserve: async ({ outputTokens }) => ({ kind: 'granted', callId: 'c', outputTokens }),
      settle: async (_callId, settlement) => void settlements.push(settlement),
    },
    breakers: { attempt: (_key, attempt) => attempt() },
    holds: createHolds(),
    halt: async () => {},
    retry: retryLimits,
    clock: noWait,
    random: () => 0,
    log: silentLog,
  };
}

function asked(wire: Wire) {
  const run: RunContext = {
    ...{ tenantId: 't', runId: 'r', projectId: 'p', specId: null, ticketId: null, subjectType: 'ticket', subjectId: 's' },
    ...{ attempt: 1, agent: 'codex', model: null, title: 't', phase: null, round: 0 },
    ...{ template: null, tools: null, turnsMax: null, tokensMax: null, turns: 0, tokens: 0 },
  };
  return {
    run,
    wire,
    operation: 'generate',
    body: { stream_options: { include_usage: true } },
    model: 'p/m',
    isStream: true,
    headers: {},
  } as const;
}
