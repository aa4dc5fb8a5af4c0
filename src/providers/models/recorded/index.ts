import { createHash } from 'node:crypto';
import { type Upstream, type UpstreamAnswer, type UpstreamCall, UpstreamError, type Wire } from '../../../gateway/upstream.ts';
import { type Clock, systemClock } from '../../../kernel/clock.ts';
import { type Answer, tokens, usageOf, withinLimit, writers } from './answer/index.ts';
import { type Conversation, readConversation } from './conversation/index.ts';
import type { Recording } from './load.ts';
import { RecordingMismatch } from './play/mismatch.ts';
import { workingFolder } from './play/folder.ts';
import { type Reply, replyTo } from './play/reply.ts';

export { loadRecording } from './load.ts';
export type { Recording } from './load.ts';
export { recording } from './record/index.ts';
export { createRecordingFolder } from './record/folder.ts';

/** An answer of status 422 with this header says that the run is not as it was recorded; its body says how. */
export const mismatchHeader = 'skep-recording-mismatch';

/**
 * A provider that plays a recording on the real wires. It remembers nothing: a request that is sent again gets the same answer.
 * Throws UpstreamError `cut_off` in the body where the call is aborted.
 */
export function createRecordedUpstream(recording: Recording, { clock = systemClock }: { clock?: Clock } = {}): Upstream {
  return {
    name: 'recorded',
    label: 'recorded demo',
    wires: ['anthropic', 'chat', 'responses', 'gemini'],
    isRecorded: true,
    pricedAs: recording.pricedAs,
    open: async call => {
      try {
        return answered(recording, call, clock);
      } catch (error) {
        if (error instanceof SyntaxError) return refused(call.wire, 400, 'The request is not valid JSON');
        if (error instanceof RecordingMismatch) return refused(call.wire, 422, error.message);
        throw error;
      }
    },
  };
}

function answered(recording: Recording, call: UpstreamCall, clock: Clock): UpstreamAnswer {
  const conversation = readConversation(call.wire, call.body);
  const writer = writers[call.wire];
  if (call.operation === 'count') return whole(200, writer.count(tokens(Buffer.byteLength(call.body))));
  const reply = replyTo(recording, { conversation, run: call.run, cwd: workingFolder(call.body) });
  const answer = answerOf(call, { conversation, reply, createdS: Math.floor(clock.now() / 1_000) });
  const pace = { delayMs: reply.delayMs, signal: call.signal, clock };
  if (!call.isStream) return { ...whole(200, writer.whole(answer)), body: paced([JSON.stringify(writer.whole(answer))], pace) };
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream; charset=utf-8' },
    body: paced(writer.stream(answer), pace),
  };
}

interface Given {
  readonly conversation: Conversation;
  readonly reply: Reply;
  readonly createdS: number;
}

function answerOf({ body, model }: UpstreamCall, { conversation, reply, createdS }: Given): Answer {
  const { reply: kept, isCutOff } = withinLimit(reply, conversation.outputTokensMax);
  return {
    text: kept.text,
    call: kept.call,
    isCutOff,
    model,
    // The same question has the same answer, to the id.
    id: createHash('sha256').update(body).digest('hex').slice(0, 24),
    createdS,
    usage: usageOf(body, conversation, kept),
    wantsUsage: conversation.wantsUsage,
  };
}

interface Pace {
  readonly delayMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

async function* paced(chunks: Iterable<string>, { delayMs, signal, clock }: Pace): AsyncGenerator<Uint8Array> {
  if (delayMs > 0) await clock.sleep(delayMs, signal);
  for (const chunk of chunks) {
    if (signal.aborted) throw new UpstreamError('cut_off', 'The call was aborted', signal.reason);
    yield Buffer.from(chunk);
  }
}

function refused(wire: Wire, status: number, message: string): UpstreamAnswer {
  const answer = whole(status, writers[wire].refusal(message, status));
  return status === 422 ? { ...answer, headers: { ...answer.headers, [mismatchHeader]: '1' } } : answer;
}

function whole(status: number, document: object): UpstreamAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: once(JSON.stringify(document)) };
}

async function* once(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
