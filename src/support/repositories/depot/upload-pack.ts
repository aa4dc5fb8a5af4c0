import { Readable } from 'node:stream';
import { Fault } from '../../../kernel/fault.ts';
import type { Bare } from './bare.ts';
import { inTime, objectId } from './bare.ts';
import type { UploadPackRequest } from './types.ts';

const requestBytesMax = 8 * 1_048_576;
const requestTimeoutMs = 60_000;
const uploadTimeoutMs = 900_000;

/** Shows no ref and no HEAD; which commits may be had is judged before git is asked. */
const settings = [
  'transfer.hideRefs=refs',
  'uploadpack.allowAnySHA1InWant=true',
  'uploadpack.allowFilter=false',
  'lsrefs.unborn=ignore',
];

/** See Transfer.uploadPack. */
export async function uploadPack(bare: Bare, request: UploadPackRequest): Promise<void> {
  const { service, output, wants, signal } = request;
  // In older versions a server that shows no refs has nothing to be asked for.
  if (!/^(|.*:)version=2(|:.*)$/.test(request.protocol ?? ''))
    throw new Fault('invalid_request', { message: "Version 2 of git's protocol is needed", hint: 'Use git 2.26 or newer' });
  const body = service === 'rpc' && request.input !== undefined ? await bodyOf(bare, request.input) : undefined;
  if (body !== undefined) refuseOthers(body, new Set(wants.map(objectId)));
  await bare.run(
    [
      ...settings.flatMap(setting => ['-c', setting]),
      ...['upload-pack', '--strict', '--stateless-rpc', '--timeout=60'],
      ...(service === 'advertise' ? ['--http-backend-info-refs'] : []),
      bare.gitDir,
    ],
    {
      ...(body === undefined ? {} : { input: Readable.from([body], { objectMode: false }) }),
      ...{ output, signal, timeoutMs: uploadTimeoutMs, env: { GIT_PROTOCOL: 'version=2' } },
    },
  );
  output.end();
}

function bodyOf({ clock }: Bare, input: Readable): Promise<Buffer> {
  return inTime(clock, { source: input, timeoutMs: requestTimeoutMs }, () => wholeOf(input));
}

async function wholeOf(input: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > requestBytesMax) throw new Fault('too_large', { message: `The request is larger than ${requestBytesMax} bytes` });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What is asked for stands in lines of its own. */
function refuseOthers(body: Buffer, wants: ReadonlySet<string>): void {
  for (const line of packetLines(body)) {
    if (!line.startsWith('want')) continue;
    const asked = /^want ([0-9a-f]+)/.exec(line)?.[1] ?? '';
    if (!wants.has(asked)) throw new Fault('forbidden', { message: 'This token may not fetch that commit' });
  }
}

/** Lines that begin with their own length in four hex digits; below 0004 are marks without a text. */
function* packetLines(body: Buffer): Generator<string> {
  for (let at = 0; at < body.length; ) {
    const digits = body.toString('latin1', at, at + 4);
    const length = Number.parseInt(digits, 16);
    if (!/^[0-9a-f]{4}$/i.test(digits) || length === 3 || at + length > body.length)
      throw new Fault('invalid_request', { message: 'The body is not what git sends' });
    if (length > 4) yield body.toString('latin1', at + 4, at + length);
    at += Math.max(length, 4);
  }
}
