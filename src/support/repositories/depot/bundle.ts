import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { isBranchName, isObjectId } from '../../../git/index.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Bare } from './bare.ts';
import { objectId } from './bare.ts';
import type { BundleContent, ObjectFormat } from './types.ts';

/** The part of a git bundle before its pack. */
export interface BundleHeader {
  readonly objectFormat: ObjectFormat;
  /** Commits that the receiver must have. */
  readonly prerequisites: readonly string[];
  readonly refs: ReadonlyMap<string, string>;
}

const headerBytesMax = 262_144;
const bundleTimeoutMs = 600_000;

/** Takes the header off `source`; `rest` is the pack. Throws Fault `invalid_bundle`. */
export async function openBundle(source: Readable): Promise<{ header: BundleHeader; rest: AsyncIterable<Buffer> }> {
  const chunks = (source as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  let start = Buffer.alloc(0);
  let end = -1;
  while (end < 0 && start.length <= headerBytesMax) {
    const next = await chunks.next();
    if (next.done === true) break;
    start = Buffer.concat([start, next.value]);
    end = start.indexOf('\n\n');
  }
  if (end < 0) throw invalid(start.length > headerBytesMax ? 'its header is too long' : 'it ends within its header');
  const header = parseHeader(start.subarray(0, end).toString('utf8'));
  return { header, rest: following(start.subarray(end + 2), chunks, source) };
}

async function* following(first: Buffer, chunks: AsyncIterator<Buffer>, source: Readable): AsyncGenerator<Buffer> {
  try {
    yield first;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  } finally {
    source.destroy();
  }
}

function parseHeader(text: string): BundleHeader {
  const [signature = '', ...lines] = text.split('\n');
  if (!/^# v[23] git bundle$/.test(signature)) throw invalid('it does not begin like one');
  const capabilities = lines.filter(line => line.startsWith('@'));
  const format = /^@object-format=(sha1|sha256)$/.exec(capabilities[0] ?? '')?.[1] as ObjectFormat | undefined;
  if (capabilities.length > (format === undefined ? 0 : 1)) throw invalid('it asks for what is not supported here');
  const rest = lines.filter(line => !line.startsWith('@'));
  const needed = rest.filter(line => line.startsWith('-')).map(line => line.slice(1).split(' ')[0] ?? '');
  const refs = rest
    .filter(line => !line.startsWith('-'))
    .map(line => [line.slice(line.indexOf(' ') + 1), line.split(' ')[0] ?? ''] as const);
  if (![...needed, ...refs.map(([, id]) => id)].every(isObjectId)) throw invalid('its header holds something that is no commit');
  return { objectFormat: format ?? 'sha1', prerequisites: needed, refs: new Map(refs) };
}

export function invalid(reason: string): Fault {
  return new Fault('invalid_bundle', { message: `The git bundle is not valid: ${reason}` });
}

/** See Transfer.bundle. Without a ref of that name, which `git bundle create` would need. */
export function makeBundle(bare: Bare, what: BundleContent): Readable {
  if (!isBranchName(what.branch)) throw new Error(`no name of a branch: ${JSON.stringify(what.branch)}`);
  const [head, not] = [objectId(what.head), what.not.map(objectId)];
  const bundle = new PassThrough();
  const stopping = new AbortController();
  bundle.once('close', () => stopping.abort(new Error('the bundle is not wanted any more')));
  const format = bare.objectFormat === 'sha256' ? ['# v3 git bundle', '@object-format=sha256'] : ['# v2 git bundle'];
  bundle.write([...format, ...not.map(commit => `-${commit} `), `${head} refs/heads/${what.branch}`, '', ''].join('\n'));
  void bare
    .run(['pack-objects', '--stdout', '--revs', '--thin', '--delta-base-offset', '--quiet'], {
      input: [head, ...not.map(commit => `^${commit}`), ''].join('\n'),
      output: bundle,
      signal: stopping.signal,
      timeoutMs: bundleTimeoutMs,
    })
    .then(
      () => bundle.end(),
      (error: unknown) => bundle.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  return bundle;
}
