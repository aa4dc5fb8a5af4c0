import { Option } from 'commander';
import type { Command } from 'commander';
import { ticket, ticketTypes } from '../../../contract/tickets.ts';
import { collect, remoteCommand, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { ticketId, ticketIds } from '../input/id.ts';
import { findProject } from '../project/find.ts';
import { ticketText } from './find.ts';

interface Options extends RemoteOptions {
  readonly project: string;
  readonly title: string;
  readonly type: string;
  readonly description?: string;
  readonly criterion?: readonly string[];
  readonly file?: readonly string[];
  readonly dependsOn?: readonly string[];
  readonly parent?: string;
  readonly priority?: number;
  readonly estimate?: number;
}

export function ticketCreate(world: World): Command {
  return remoteCommand({
    name: 'create',
    description: 'Make a ticket by hand',
    examples: [
      "skep ticket create --project demo --title 'Add a README'",
      "skep ticket create --project demo --title 'Deploy' --depends-on TKT-001,TKT-002",
    ],
  })
    .requiredOption('--project <name>', 'the project')
    .requiredOption('--title <text>', 'what is to be done')
    .addOption(new Option('--type <type>', 'what it is').choices(ticketTypes.filter(type => type !== 'epic')).default('task'))
    .option('--description <text>', 'what the agent needs to know')
    .option('--criterion <text>', 'when it is done; may be repeated', collect)
    .option('--file <path>', 'what it will probably touch, from the root of the repository; may be repeated', collect)
    .option('--depends-on <ids>', 'tickets that must be completed before, with commas between', ticketIds)
    .option('--parent <id>', 'the ticket that it is a part of', ticketId)
    .option('--priority <n>', 'higher runs first', whole(-1000, 1000))
    .option('--estimate <points>', 'how big it is', whole(0, 1000))
    .action(async (options: Options) => {
      const context = await connect(world, options);
      const { title, type, description, criterion, file: files, dependsOn, parent, priority, estimate } = options;
      const made = await context.client.request('POST', '/api/tickets', {
        body: {
          project_id: (await findProject(context, options.project)).id,
          type,
          title,
          description,
          acceptance_criteria: criterion,
          files,
          depends_on: dependsOn,
          parent_id: parent,
          priority,
          estimate,
        },
        schema: ticket,
      });
      context.show(made, () => ticketText(context, made));
    });
}
