import { failure, type Failure, failureOfAnswer, type FailureClass } from '../model/failure.ts';
import { fieldsOf, parseJson } from '../model/json.ts';
import { retryAfterOf } from '../model/rate-limits.ts';
import { type Upstream, type UpstreamAnswer, type UpstreamCall, UpstreamError, type UpstreamFailure } from '../upstream.ts';
import type { AnswerReader } from '../wires/format.ts';
import { createFrames, type Frame } from '../wires/frames.ts';
import type { Tried } from './breakers.ts';
import type { Tally } from './tally.ts';
import { cutOf } from './types.ts';

/** An answer that has begun well. */
export type Opened =
  | {
      readonly kind: 'whole';
      readonly status: number;
      readonly headers: Headers;
      readonly bytes: Uint8Array;
      readonly reader: AnswerReader;
    }
  | {
      readonly kind: 'stream';
      readonly status: number;
      readonly headers: Headers;
      /** What came up to the first event that says something. */
      readonly held: readonly Frame[];
      readonly rest: AsyncGenerator<Frame>;
      /** Ends `rest` also while it waits. */
      readonly leave: () => void;
      readonly reader: AnswerReader;
    };

type Headers = Readonly<Record<string, string>>;

export interface Opening {
  readonly upstream: Upstream;
  readonly call: UpstreamCall;
  readonly reader: AnswerReader;
  readonly tally: Tally;
  readonly leave: () => void;
  readonly nowMs: number;
  /** Sees the head of every answer. */
  readonly onHead: (head: { readonly status: number; readonly headers: Headers }) => void;
}

/** One attempt, up to the first event of a stream or to the end of an answer in one piece. Throws only the call's own Cut. */
export async function openAnswer(opening: Opening): Promise<Tried<Opened>> {
  const { upstream, call, tally, reader } = opening;
  let head: UpstreamAnswer | undefined;
  try {
    head = await upstream.open(call);
    opening.onHead(head);
    if (head.status < 200 || head.status >= 300) return await refusalOf(head, opening.nowMs);
    const opened = await (call.isStream ? openStream(head, opening) : openWhole(head, opening));
    if (!opened.ok) tally.refused(reader);
    return opened;
  } catch (error) {
    // The head of a stream comes before the model thinks, that of an answer in one piece after it.
    const mayHaveThought = head !== undefined || !call.isStream;
    if (call.signal.aborted) {
      tally.lost(reader, { mayHaveThought });
      throw cutOf(call.signal);
    }
    const why = failureOfException(error, head?.status ?? null);
    // Where no answer had begun, a broken connection was most likely one that had been idle for too long.
    if (why.class === 'timeout' || (head !== undefined && head.status < 300)) tally.lost(reader, { mayHaveThought });
    return { ok: false, failure: why };
  }
}

async function refusalOf({ status, headers, body }: UpstreamAnswer, nowMs: number): Promise<Tried<never>> {
  const text = Buffer.concat(await collect(body, refusalBytesMax)).toString();
  return { ok: false, failure: failureOfAnswer({ status, headers, body: text, retryAfterMs: retryAfterOf(headers, nowMs) }) };
}

async function openStream({ status, headers, body }: UpstreamAnswer, { reader, call, leave }: Opening): Promise<Tried<Opened>> {
  if (!(headers['content-type'] ?? '').includes('text/event-stream'))
    return notAStream(body, { reader, contentType: headers['content-type'] });
  const rest = framesOf(body, reader);
  const held: Frame[] = [];
  for (;;) {
    const next = await rest.next();
    if (call.signal.aborted) throw cutOf(call.signal);
    if (next.done === true) return { ok: false, failure: failure('cut_off', 'its answer ended before it began', { status }) };
    held.push(next.value);
    const { seen } = next.value;
    if (seen.kind !== 'idle' && seen.kind !== 'error')
      return { ok: true, value: { kind: 'stream', status, headers, held, rest, leave, reader } };
    const why =
      seen.kind === 'error'
        ? seen.failure
        : held.length > idleFramesMax
          ? failure('malformed', 'it sends pings and no answer')
          : undefined;
    if (why === undefined) continue;
    await rest.return(undefined);
    return { ok: false, failure: { ...why, status } };
  }
}

/** Minutes of pings. */
const idleFramesMax = 10_000;

async function* framesOf(body: AsyncIterable<Uint8Array>, reader: AnswerReader): AsyncGenerator<Frame> {
  const frames = createFrames(reader);
  for await (const chunk of body) yield* frames(chunk);
}

/** A stream was asked for, and something else came: an error in one piece, or a page of some proxy. */
async function notAStream(
  body: AsyncIterable<Uint8Array>,
  { reader, contentType }: { reader: AnswerReader; contentType: string | undefined },
): Promise<Tried<never>> {
  const said = parseJson(Buffer.concat(await collect(body, refusalBytesMax)).toString());
  const seen = fieldsOf(said) === undefined ? undefined : reader.whole(said);
  if (seen?.kind === 'error' && seen.failure.class !== 'malformed')
    return { ok: false, failure: { ...seen.failure, status: 200 } };
  return {
    ok: false,
    failure: failure('malformed', `it answered with ${contentType ?? 'no content type'} instead of a stream`, { status: 200 }),
  };
}

async function openWhole({ status, headers, body }: UpstreamAnswer, { reader, call }: Opening): Promise<Tried<Opened>> {
  const bytes = Buffer.concat(await collect(body));
  const answer = parseJson(bytes.toString());
  if (call.operation === 'count' && fieldsOf(answer) !== undefined)
    return { ok: true, value: { kind: 'whole', status, headers, bytes, reader } };
  const seen = reader.whole(answer);
  if (seen.kind === 'error') return { ok: false, failure: { ...seen.failure, status } };
  return { ok: true, value: { kind: 'whole', status, headers, bytes, reader } };
}

const refusalBytesMax = 262_144;

/** Up to a number of bytes; the rest is not read. The provider itself has a maximum. */
async function collect(body: AsyncIterable<Uint8Array>, bytesMax = Number.POSITIVE_INFINITY): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > bytesMax) break;
  }
  return chunks;
}

const classes: Readonly<Record<UpstreamFailure, FailureClass>> = {
  connect: 'connect',
  first_byte: 'timeout',
  between_bytes: 'timeout',
  cut_off: 'cut_off',
  too_large: 'too_large',
};

export function failureOfException(error: unknown, status: number | null): Failure {
  if (error instanceof UpstreamError) return failure(classes[error.failure], error.message, { status });
  if (error instanceof RangeError) return failure('malformed', `it sent ${error.message}`, { status });
  throw error;
}
