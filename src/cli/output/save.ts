import { createWriteStream, existsSync } from 'node:fs';
import { link, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { faultOfAnswer, faultOfNetwork } from '../../client/index.ts';
import { Fault } from '../../kernel/fault.ts';
import type { Context } from '../context.ts';

/**
 * Downloads into a new file. One that is there already is not overwritten: it may hold somebody's only copy; half of the download is
 * never under its name. Throws Fault `already_exists`, or what the server says.
 */
export async function save({ server, token }: Context, path: string, file: string): Promise<void> {
  if (existsSync(file)) throw taken(file);
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const unanswered = (error: unknown): never => {
    throw faultOfNetwork(error, { server, timeoutMs: 0, timedOut: false });
  };
  const answer = await fetch(`${server}${path}`, { headers, redirect: 'error' }).catch(unanswered);
  if (!answer.ok || answer.body === null) throw faultOfAnswer(answer, await answer.text());
  const part = `${file}.part`;
  await rm(part, { force: true });
  try {
    await pipeline(Readable.from(received(answer.body, unanswered)), createWriteStream(part, { flags: 'wx' }));
    await giveName(part, file);
  } finally {
    await rm(part, { force: true });
  }
}

/** What breaks off here is the server's fault, not the disk's. */
async function* received(body: ReadableStream<Uint8Array>, onError: (error: unknown) => never): AsyncGenerator<Uint8Array> {
  const reader = body.getReader();
  for (;;) {
    const { done, value } = await reader.read().catch(onError);
    if (done) return;
    yield value;
  }
}

/** By a link, which unlike a renaming never replaces a file that somebody has made meanwhile. */
async function giveName(part: string, file: string): Promise<void> {
  try {
    await link(part, file);
  } catch {
    if (existsSync(file)) throw taken(file);
    // A file system without hard links.
    await rename(part, file);
  }
}

function taken(file: string): Fault {
  return new Fault('already_exists', { message: `${file} exists already`, hint: 'Name another with --output' });
}
