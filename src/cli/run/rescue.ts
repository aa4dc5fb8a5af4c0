import type { Command } from 'commander';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { save } from '../output/save.ts';
import { fields } from '../output/table.ts';
import { shellWord } from '../output/text.ts';
import { runById, runId } from './find.ts';

interface Options extends RemoteOptions {
  readonly output?: string;
}

export function runRescue(world: World): Command {
  return remoteCommand({
    name: 'rescue',
    description: 'Save what a run left whose worker died: a git bundle',
    examples: ['skep run rescue 1b9d6bcd --output left.bundle'],
  })
    .argument('<id>', 'the run; its first characters are enough')
    .option('-o, --output <file>', 'a new file; default: ID.bundle here')
    .action(async (given: string, options: Options) => {
      const context = await connect(world, options);
      const id = await runId(context, given);
      const file = options.output ?? `${id}.bundle`;
      const { ticket_id: ticket } = await runById(context, id);
      await save(context, `/api/runs/${id}/rescue`, file);
      const next = ['git', 'bundle', 'list-heads', file.startsWith('-') ? `./${file}` : file].map(shellWord).join(' ');
      context.show({ file, run: id, ticket }, () =>
        fields([
          ['file', file],
          ['run', id],
          ['ticket', ticket],
          ['next', next],
        ]),
      );
    });
}
