import type { Command } from 'commander';
import { templateName } from '../../../contract/templates/names.ts';
import { template } from '../../../contract/templates/wire.ts';
import { remoteCommand, usage } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { templateText } from './find.ts';

export function templateRemove(world: World): Command {
  return remoteCommand({
    name: 'remove',
    description: 'Take a template away that nothing uses; its versions stay to be looked at',
    examples: ['skep template remove careful'],
  })
    .argument('<name>', 'its name')
    .action(async (name: string, options: RemoteOptions) => {
      if (!templateName.safeParse(name).success)
        throw usage(`'${name}' is no name of a template`, 'All of its versions go: leave @ out');
      const context = await connect(world, options);
      const removed = await context.client.request('DELETE', `/api/templates/${name}`, { schema: template });
      context.show(removed, () => `removed\n${templateText(removed)}`);
    });
}
