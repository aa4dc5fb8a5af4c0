import { existsSync } from 'node:fs';
import { open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { ReadableStream } from 'node:stream/web';
import type { HostGit } from '../../git/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { fetchRequest, packIn } from './packets.ts';
import type { Ask } from './packets.ts';
import type { Remote } from './remote.ts';

interface Place {
  /** Of the bare copy. */
  readonly path: string;
  readonly lock: string;
  readonly git: HostGit;
  readonly clock: Clock;
}

interface Wanted extends Ask {
  readonly remote: Remote;
  readonly signal: AbortSignal;
}

/** Without a byte; git's own patience with a network is as long. */
const silenceMsMax = 60_000;
const timeoutMs = 600_000;

/**
 * What `git fetch` does where a copy lacks little, in one call instead of two and two processes instead of seven: the pack is asked for
 * with the commits that are whole here, and taken in by git, which refuses it where what it leads to is neither in it nor in the copy.
 * Throws whatever goes wrong; then git itself is to fetch, which finds out what it was.
 */
export async function fetchPack({ path, lock, git, clock }: Place, { remote, signal, ...ask }: Wanted): Promise<void> {
  // Such a history is told of in more words.
  if (existsSync(join(path, 'shallow'))) throw new Error('the copy has a history that is cut');
  const patience = patienceOf(clock, signal);
  try {
    const pack = Readable.from(packFrom(remote, ask, patience), { objectMode: false });
    const how = ['index-pack', '--stdin', '--fix-thin', '--check-self-contained-and-connected'];
    // 1: it builds on what is here.
    await git.run([`--git-dir=${path}`, ...how], { lock, signal: patience.signal, timeoutMs, input: pack, accepts: [0, 1] });
  } finally {
    patience.end();
  }
}

/** Asked for when it is read: git starts meanwhile. */
async function* packFrom(remote: Remote, ask: Ask, { signal, goOn }: Patience): AsyncGenerator<Buffer> {
  const answer = await fetch(`${remote.url}/git-upload-pack`, {
    ...{ method: 'POST', redirect: 'error', body: fetchRequest(ask), signal },
    headers: { ...remote.headers, 'content-type': 'application/x-git-upload-pack-request', 'git-protocol': 'version=2' },
  });
  if (!answer.ok || answer.body === null) {
    await answer.body?.cancel();
    throw new Error(`the server answered ${answer.status}`);
  }
  yield* packIn(heard(answer.body as ReadableStream<Uint8Array>, goOn));
}

async function* heard(body: ReadableStream<Uint8Array>, onChunk: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    onChunk();
    yield chunk;
  }
}

interface Patience {
  /** Aborted with `outer`, and when nothing was heard for too long. */
  readonly signal: AbortSignal;
  goOn(): void;
  end(): void;
}

function patienceOf(clock: Clock, outer: AbortSignal): Patience {
  const limit = new AbortController();
  const over = new AbortController();
  let heardAt = clock.mono();
  const onAbort = (): void => limit.abort(outer.reason);
  if (outer.aborted) onAbort();
  outer.addEventListener('abort', onAbort, { once: true });

  async function watch(): Promise<void> {
    for (let leftMs = silenceMsMax; leftMs > 0; leftMs = heardAt + silenceMsMax - clock.mono()) {
      await clock.sleep(leftMs, over.signal);
      if (over.signal.aborted) return;
    }
    limit.abort(new Error(`the server said nothing for ${silenceMsMax} ms`));
  }

  void watch();
  return {
    signal: limit.signal,
    goOn: () => void (heardAt = clock.mono()),
    end() {
      over.abort();
      outer.removeEventListener('abort', onAbort);
      // A git that did not wait for the answer.
      limit.abort(new Error('the fetch is over'));
    },
  };
}

export async function packsIn(path: string): Promise<number> {
  return (await readdir(join(path, 'objects/pack'))).filter(name => name.endsWith('.pack')).length;
}

/** As `git update-ref`, without a process: git's own lock file, renamed into place. Throws where another holds the lock. */
export async function moveRef(path: string, ref: string, commit: string): Promise<void> {
  const lock = join(path, `${ref}.lock`);
  const file = await open(lock, 'wx', 0o644);
  try {
    await file.writeFile(`${commit}\n`);
  } finally {
    await file.close();
  }
  await rename(lock, join(path, ref));
}
