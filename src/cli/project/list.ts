import type { Command } from 'commander';
import { projectList as schema } from '../../../contract/projects.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { onePage, printList } from '../output/list.ts';
import { agentText } from './agent.ts';

export function projectList(world: World): Command {
  return remoteCommand({ name: 'list', description: 'List the projects', examples: ['skep project list'] }).action(
    async (options: RemoteOptions) => {
      const context = await connect(world, options);
      await printList(context, {
        pages: onePage(context.client.request('GET', '/api/projects', { schema }).then(({ projects }) => projects)),
        columns: [
          { title: 'NAME', value: project => project.name, max: 40 },
          { title: 'REPOSITORY', value: project => project.repository, max: 60 },
          { title: 'AGENT', value: project => (project.agent === null ? null : agentText(project.agent)) },
        ],
        none: 'There are no projects. Make one: skep project create demo --repository .',
      });
    },
  );
}
