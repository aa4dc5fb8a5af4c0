import type { Command } from 'commander';
import { templateName } from '../../../contract/templates/names.ts';
import { templateList as schema } from '../../../contract/templates/wire.ts';
import { remoteCommand, usage } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { onePage, printList } from '../output/list.ts';
import { agentText } from '../project/agent.ts';

export function templateList(world: World): Command {
  return remoteCommand({ name: 'list', description: 'List the templates', examples: ['skep template list'] }).action(
    async (options: RemoteOptions) => {
      const context = await connect(world, options);
      await printList(context, {
        pages: onePage(context.client.request('GET', '/api/templates', { schema }).then(({ templates }) => templates)),
        columns: [
          { title: 'TEMPLATE', value: ({ id }) => id, max: 60 },
          { title: 'AGENT', value: ({ agent }) => agentText(agent), max: 50 },
          { title: 'FALLBACK', value: ({ fallback }) => (fallback.length === 0 ? null : fallback.join(', ')), max: 40 },
          { title: 'DESCRIPTION', value: ({ description }) => description },
        ],
        none: 'There are no templates. Make one: skep template put careful.yaml (docs/templates.md)',
      });
    },
  );
}

export function templateHistory(world: World): Command {
  return remoteCommand({
    name: 'history',
    description: 'List the versions of a template, the newest first',
    examples: ['skep template history careful'],
  })
    .argument('<name>', 'its name')
    .action(async (name: string, options: RemoteOptions) => {
      if (!templateName.safeParse(name).success) throw usage(`'${name}' is no name of a template`, 'Such as: careful-codex');
      const context = await connect(world, options);
      const path = `/api/templates/${name}/versions`;
      await printList(context, {
        pages: onePage(context.client.request('GET', path, { schema }).then(({ templates }) => templates)),
        columns: [
          { title: 'VERSION', value: ({ id }) => id, max: 60 },
          { title: 'CREATED', value: ({ created_at: at }) => at },
          { title: 'EXTENDS', value: ({ lineage }) => lineage[0] ?? null, max: 60 },
          { title: 'AGENT', value: ({ agent }) => agentText(agent) },
        ],
        none: `The template ${name} has no versions`,
      });
    });
}
