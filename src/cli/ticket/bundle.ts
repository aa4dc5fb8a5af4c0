import { createWriteStream } from 'node:fs';
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
      const branch = run.result.branch ?? 'HEAD';
      const next = `git fetch ${file} ${branch}:${branch}`;
      context.show({ file, branch, head: run.result.head }, () =>
        fields([
          ['file', file],
          ['branch', branch],
          ['head', run.result?.head],
          ['next', next],
        ]),
      );
    });
}

/** A file that is there already is not overwritten: it may hold somebody's only copy. */
async function save({ server, token }: Context, path: string, file: string): Promise<void> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const answer = await fetch(`${server}${path}`, { headers, redirect: 'error' }).catch((error: unknown) => {
    throw faultOfNetwork(error, { server, timeoutMs: 0, timedOut: false });
  });
  if (!answer.ok || answer.body === null) throw faultOfAnswer(answer, await answer.text());
  try {
    await pipeline(Readable.from(answer.body as AsyncIterable<Uint8Array>), createWriteStream(file, { flags: 'wx' }));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw new Fault('already_exists', { message: `${file} exists already`, hint: 'Name another with --output', cause: error });
    }
    throw error;
  }
}
