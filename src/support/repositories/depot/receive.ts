import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { wordsOf } from '../../../git/index.ts';
import { Fault, isFault } from '../../../kernel/fault.ts';
import type { Bare } from './bare.ts';
import { inTime, skepRef } from './bare.ts';
import { invalid, openBundle } from './bundle.ts';
import type { BundleHeader } from './bundle.ts';
import { movePacks, rollUp } from './packs.ts';
import type { ReceivedBundle } from './types.ts';

const receiveTimeoutMs = 600_000;

/** Folders in which packs are looked at before they count. */
export const quarantine = 'incoming-';

/**
 * See Transfer.receive. As git takes in a push: the pack is written aside, all that is new in it is checked (git's own fetch of a
 * bundle does not do that before 2.46), nothing may be missing, and only then is it moved in and named.
 */
export function receive(bare: Bare, bundle: ReceivedBundle): Promise<string> {
  return inTime(bare.clock, { source: bundle.source, timeoutMs: receiveTimeoutMs }, () => receiveNow(bare, bundle)).finally(() =>
    bundle.source.destroy(),
  );
}

async function receiveNow(bare: Bare, { source, branch, ref, prerequisites }: ReceivedBundle): Promise<string> {
  const place = skepRef(ref);
  const { header, rest } = await openBundle(source);
  const head = expectedHead(bare, header, { branch, prerequisites });
  const aside = join(bare.gitDir, `${quarantine}${randomUUID()}`);
  await mkdir(join(aside, 'pack'), { recursive: true, mode: 0o700 });
  try {
    await writePack(bare, aside, rest).catch(async (error: unknown) => {
      // Git stumbles over what it lacks before it can be asked: this reason is of more use than its words.
      if (isFault(error, 'invalid_bundle')) await typesOf(bare, within(bare, aside), [head, ...header.prerequisites]);
      throw error;
    });
    await refuseGaps(bare, aside, { head, prerequisites: header.prerequisites });
    await movePacks(bare, aside);
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
  await bare.alone(['update-ref', place, head]);
  await rollUp(bare);
  return head;
}

function expectedHead(bare: Bare, header: BundleHeader, expected: Pick<ReceivedBundle, 'branch' | 'prerequisites'>): string {
  const head = header.refs.get(`refs/heads/${expected.branch}`);
  if (header.objectFormat !== bare.objectFormat)
    throw invalid(`it is of ${header.objectFormat}, the repository of ${bare.objectFormat}`);
  if (head === undefined) throw invalid(`the branch ${expected.branch} is not in it`);
  if (header.refs.size !== 1) throw invalid(`it holds more than the branch ${expected.branch}`);
  if (head.length !== (bare.objectFormat === 'sha256' ? 64 : 40)) throw invalid('its header holds something that is no commit');
  const foreign = header.prerequisites.find(commit => expected.prerequisites?.includes(commit) === false);
  if (foreign !== undefined) throw invalid(`it builds on the commit ${foreign}, which it was not to build on`);
  return head;
}

async function writePack(bare: Bare, aside: string, pack: AsyncIterable<Buffer>): Promise<void> {
  await bare
    .run(['index-pack', '--stdin', '--fix-thin', '--strict'], {
      env: within(bare, aside),
      input: Readable.from(pack, { objectMode: false }),
      timeoutMs: receiveTimeoutMs,
    })
    .catch(refused);
}

interface Wanted {
  readonly head: string;
  readonly prerequisites: readonly string[];
}

async function refuseGaps(bare: Bare, aside: string, { head, prerequisites }: Wanted): Promise<void> {
  const env = within(bare, aside);
  const [type] = await typesOf(bare, env, [head, ...prerequisites]);
  if (type !== 'commit') throw invalid('its branch is no commit, or that commit is missing in it');
  await bare
    .run(['rev-list', '--objects', '--quiet', head, '--not', '--all'], { env, timeoutMs: receiveTimeoutMs })
    .catch(refused);
}

/** What kind of object each is. The first is the head; the others must be here. */
async function typesOf(bare: Bare, env: Readonly<Record<string, string>>, [head = '', ...needed]: readonly string[]) {
  const input = [head, ...needed, ''].join('\n');
  const found = (await bare.text(['cat-file', '--batch-check=%(objecttype)'], { env, input })).split('\n');
  const missing = needed.find((_, i) => found[i + 1] !== 'commit');
  if (missing !== undefined) throw invalid(`it builds on the commit ${missing}, which is not here`);
  return found;
}

function within({ gitDir }: Bare, aside: string): Record<string, string> {
  return { GIT_OBJECT_DIRECTORY: aside, GIT_ALTERNATE_OBJECT_DIRECTORIES: join(gitDir, 'objects') };
}

function refused(error: unknown): never {
  const words = wordsOf(error);
  if (words === undefined) throw error;
  throw new Fault('invalid_bundle', { message: invalid(words).message, cause: error });
}
