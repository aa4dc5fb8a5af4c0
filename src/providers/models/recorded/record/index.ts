import type { Upstream, UpstreamAnswer } from '../../../../gateway/upstream.ts';
import type { RecordingFolder } from './folder.ts';

/** What is kept of an answer until it is whole; a longer one is passed on and not recorded. */
const answerBytesMax = 32 * 1_048_576;

/** A provider that answers as `upstream` does, byte by byte and as soon, and has what it answers recorded. */
export function recording(upstream: Upstream, folder: RecordingFolder): Upstream {
  const { name, label, wires, isRecorded, pricedAs } = upstream;
  return {
    name,
    label,
    wires,
    isRecorded,
    ...(pricedAs === undefined ? {} : { pricedAs }),
    async open(call) {
      const answer = await upstream.open(call);
      if (call.operation !== 'generate' || answer.status !== 200) return answer;
      return { ...answer, body: overheard(answer, text => folder.take(upstream, call, text)) };
    },
  };
}

/** Says the answer when its reader has had enough: some leave with the last event, before the end of the body. */
async function* overheard({ body }: UpstreamAnswer, onEnd: (text: string) => void): AsyncGenerator<Uint8Array> {
  const kept: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const chunk of body) {
      bytes += chunk.byteLength;
      if (bytes <= answerBytesMax) kept.push(chunk);
      yield chunk;
    }
  } finally {
    if (bytes <= answerBytesMax) onEnd(Buffer.concat(kept).toString('utf8'));
  }
}
