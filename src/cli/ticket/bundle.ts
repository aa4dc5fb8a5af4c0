import { createWriteStream, existsSync } from 'node:fs';
import { link, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { faultOfAnswer, faultOfNetwork } from '../../client/index.ts';
import { Fault } from '../../kernel/fault.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { ticketId } from '../input/id.ts';
import { gathered } from '../output/list.ts';
import { fields } from '../output/table.ts';
import { shellWord } from '../output/text.ts';
import { runs } from '../run/find.ts';

interface Options extends RemoteOptions {
  readonly output?: string;
}

export function ticketBundle(world: World): Command {
  return remoteCommand({
    name: 'bundle',
    description: "Save the git bundle with a ticket's work, to be fetched into your repository",
    examples: ['skep ticket bundle TKT-001 --output one.bundle'],
  })
    .argument('<id>', 'the ticket; 1 is TKT-001')
    .option('-o, --output <file>', 'a new file; default: TKT-001.bundle here')
    .action(async (given: string, options: Options) => {
      const context = await connect(world, options);
      const id = ticketId(given);
      const file = options.output ?? `${id}.bundle`;
      const all = await gathered(runs(context, { ticket_id: id }));
      const run = all.find(({ result }) => result?.bundle !== undefined);
      if (run?.result?.bundle === undefined)
        throw new Fault('blob_not_found', { message: `No run of ${id} has handed in work yet` });
      await save(context, `/api/runs/${run.id}/bundle`, file);
      const { branch, head } = run.result;
      const next = fetchCommand(file, branch);
      context.show({ file, branch, head }, () =>
        fields([
          ['file', file],
          ['branch', branch],
          ['head', head],
          ['next', next],
        ]),
      );
    });
}

/** To be pasted into a shell: what a worker or a user has named must stay words there, and a path must be no option and no host. */
function fetchCommand(file: string, branch: string | undefined): string {
  const path = /^-|:/.test(file) ? `./${file}` : file;
  return ['git', 'fetch', path, branch === undefined ? 'HEAD' : `${branch}:${branch}`].map(shellWord).join(' ');
}

/** A file that is there already is not overwritten: it may hold somebody's only copy. Half a bundle is never under its name. */
async function save({ server, token }: Context, path: string, file: string): Promise<void> {
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
