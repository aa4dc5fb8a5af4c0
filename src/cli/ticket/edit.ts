import type { Command } from 'commander';
import { ticket } from '../../../contract/tickets.ts';
import { collect, remoteCommand, usage, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { ticketId, ticketIds } from '../input/id.ts';
import { ticketText } from './find.ts';

interface Options extends RemoteOptions {
  readonly title?: string;
  readonly description?: string;
  readonly criterion?: readonly string[];
  readonly file?: readonly string[];
  /** False with --no-files. */
  readonly files?: boolean;
  readonly dependsOn?: readonly string[];
  readonly priority?: number;
  readonly estimate?: number;
}

export function ticketEdit(world: World): Command {
  return remoteCommand({
    name: 'edit',
    description: 'Change a ticket; what is not named stays',
    examples: ['skep ticket edit TKT-003 --priority 10', 'skep ticket edit TKT-003 --depends-on TKT-001'],
  })
    .argument('<id>', 'the ticket; 3 is TKT-003')
    .option('--title <text>', 'what is to be done')
    .option('--description <text>', 'what the agent needs to know')
    .option('--criterion <text>', 'when it is done; may be repeated; replaces those before', collect)
    .option('--file <path>', 'what it will probably touch; may be repeated; replaces those before', collect)
    .option('--no-files', 'nobody can say what it will touch')
    .option('--depends-on <ids>', "replaces those before; '' is none", ticketIds)
    .option('--priority <n>', 'higher runs first', whole(-1000, 1000))
    .option('--estimate <points>', 'how big it is', whole(0, 1000))
    .action(async (id: string, options: Options) => {
      const { title, description, criterion, dependsOn, priority, estimate } = options;
      if (options.files === false && options.file !== undefined) throw usage('Give --file or --no-files');
      const files = options.files === false ? [] : options.file;
      const body = { title, description, acceptance_criteria: criterion, depends_on: dependsOn, priority, estimate, files };
      if (Object.values(body).every(value => value === undefined))
        throw usage('There is nothing to change', 'Give --title, --priority or another option');
      const context = await connect(world, options);
      const now = await context.client.request('PATCH', `/api/tickets/${ticketId(id)}`, { body, schema: ticket });
      context.show(now, () => ticketText(context, now));
    });
}
