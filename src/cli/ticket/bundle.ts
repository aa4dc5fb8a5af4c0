import type { Command } from 'commander';
import { Fault } from '../../kernel/fault.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { ticketId } from '../input/id.ts';
import { gathered } from '../output/list.ts';
import { save } from '../output/save.ts';
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
