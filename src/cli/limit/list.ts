import type { Command } from 'commander';
import { limitList as schema, type WireLimit } from '../../../contract/fleet/limits.ts';
import { projectList } from '../../../contract/projects.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { onePage, printList } from '../output/list.ts';
import { fields } from '../output/table.ts';
import { ownerText } from './scope.ts';

export function limitList(world: World): Command {
  return remoteCommand({
    name: 'list',
    description: 'List the limits, with how many runs are under way',
    examples: ['skep limit list'],
  }).action(async (options: RemoteOptions) => {
    const context = await connect(world, options);
    const projects = await projectNames(context);
    await printList(context, {
      pages: onePage(context.client.request('GET', '/api/limits', { schema }).then(({ limits }) => limits)),
      columns: [
        { title: 'FOR', value: limit => ownerText(limit, projects), max: 60 },
        { title: 'RUNS', value: ({ runs_max: max }) => max },
        { title: 'HELD', value: ({ runs_held: held }) => held },
      ],
      none: 'There are no limits. Set one: skep limit set --project NAME --runs 4',
    });
  });
}

export async function limitText(context: Context, limit: WireLimit): Promise<string> {
  return fields([
    ['for', ownerText(limit, await projectNames(context))],
    ['runs', limit.runs_max],
    ['held', limit.runs_held],
  ]);
}

async function projectNames({ client }: Context): Promise<ReadonlyMap<string, string>> {
  const { projects } = await client.request('GET', '/api/projects', { schema: projectList });
  return new Map(projects.map(({ id, name }) => [id, name]));
}
