import type { Command } from 'commander';
import { routerAnswer } from '../../../contract/templates/router.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { fields } from '../output/table.ts';
import { routerGiven, routerText, withRouter } from './router.ts';
import type { RouterOptions } from './router.ts';

export function templateRoute(world: World): Command {
  const command = remoteCommand({
    name: 'route',
    description: 'Show or set which template works on what in projects that have neither routes nor an agent of their own',
    examples: [
      'skep template route',
      'skep template route --route bug=careful --default-template quick',
      'skep template route --no-router',
    ],
  });
  return withRouter(command).action(async (options: RemoteOptions & RouterOptions) => {
    const router = routerGiven(options);
    const context = await connect(world, options);
    const now = await (router === undefined
      ? context.client.request('GET', '/api/router', { schema: routerAnswer })
      : context.client.request('PUT', '/api/router', { body: { router }, schema: routerAnswer }));
    context.show(now, () => fields([['templates', routerText(now.router) ?? 'none']]));
  });
}
