import type { Command } from 'commander';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { findProject, projectText } from './find.ts';

export function projectShow(world: World): Command {
  return remoteCommand({ name: 'show', description: 'Show a project', examples: ['skep project show demo'] })
    .argument('<name>', 'its name or id')
    .action(async (name: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const project = await findProject(context, name);
      context.show(project, () => projectText(project));
    });
}
