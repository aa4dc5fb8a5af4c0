import { Agent } from 'undici';
import { type Upstream, type UpstreamAnswer, type UpstreamCall, UpstreamError, type Wire } from '../../../gateway/upstream.ts';
import { explain } from './explain.ts';
import { masked } from './mask.ts';
import { type Endpoint, headersOf, pathOf } from './request.ts';

export interface HttpUpstreamOptions extends Endpoint {
  readonly name: string;
  readonly wires: readonly Wire[];
  readonly timeouts?: Partial<Timeouts>;
}

/** In milliseconds; the whole of a call is limited by its signal. */
export interface Timeouts {
  /** TCP and TLS. */
  readonly connectMs: number;
  /** From the request to the head of the answer: a model may think for minutes before it says a word. */
  readonly firstByteMs: number;
  readonly betweenBytesMs: number;
}

/** Of Anthropic's and OpenAI's own clients 5 to 10 minutes for a whole call; a stream that is silent for two is dead. */
const defaultTimeouts: Timeouts = { connectMs: 10_000, firstByteMs: 300_000, betweenBytesMs: 120_000 };
/** 128,000 tokens of events are about 30 MB. */
const answerBytesMax = 64 * 1_048_576;
/** What a refusal has to say is short; more of it is dropped. */
const refusalBytesMax = 262_144;
const connectionCountMax = 256;
const headerBytesMax = 65_536;

export interface HttpUpstream extends Upstream {
  /** Closes what is kept open to the provider. */
  close(): Promise<void>;
}

/** A provider on the network. The key stands in a header of the request and nowhere else; redirects are not followed. */
export function createHttpUpstream({ name, wires, timeouts = {}, ...endpoint }: HttpUpstreamOptions): HttpUpstream {
  const { connectMs, firstByteMs, betweenBytesMs } = { ...defaultTimeouts, ...timeouts };
  const base = new URL(endpoint.baseUrl);
  const agent = new Agent({
    connect: { timeout: connectMs },
    headersTimeout: firstByteMs,
    bodyTimeout: betweenBytesMs,
    connections: connectionCountMax,
    maxHeaderSize: headerBytesMax,
  });

  async function open(call: UpstreamCall): Promise<UpstreamAnswer> {
    try {
      const { statusCode, headers, body } = await agent.request({
        origin: base.origin,
        path: base.pathname.replace(/\/+$/, '') + pathOf(endpoint.kind, call),
        method: 'POST',
        headers: headersOf(endpoint, call),
        body: call.body,
        signal: call.signal,
      });
      return { status: statusCode, headers: plain(headers), body: read(body, statusCode, call.signal) };
    } catch (error) {
      throw call.signal.aborted ? call.signal.reason : explain(error);
    }
  }

  async function* read(body: AsyncIterable<Uint8Array>, status: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const isRefusal = status >= 300;
    let bytes = 0;
    try {
      const chunks = isRefusal ? withoutKey(body, endpoint.key) : masked(body, endpoint.key);
      for await (const chunk of chunks) {
        bytes += chunk.length;
        if (bytes > answerBytesMax) throw new UpstreamError('too_large', `the answer has more than ${answerBytesMax} bytes`);
        yield chunk;
      }
    } catch (error) {
      throw signal.aborted ? signal.reason : explain(error);
    }
  }

  return { name, label: name, wires, isRecorded: false, open, close: () => agent.destroy() };
}

/** Whoever is refused is told why, and some servers say their request back: with the key in it. */
async function* withoutKey(body: AsyncIterable<Uint8Array>, key: string | null): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > refusalBytesMax) break;
  }
  const text = Buffer.concat(chunks).subarray(0, refusalBytesMax).toString();
  yield Buffer.from(key === null ? text : text.replaceAll(key, '[key]'));
}

function plain(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), [value].flat().join(', ')]],
    ),
  );
}
