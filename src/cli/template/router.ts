import type { Command } from 'commander';
import { templateReference } from '../../../contract/templates/names.ts';
import { routedTypes } from '../../../contract/templates/router.ts';
import type { RoutedType, Router } from '../../../contract/templates/router.ts';
import { collect, usage } from '../command.ts';

export interface RouterOptions {
  readonly route?: readonly string[];
  readonly defaultTemplate?: string;
  /** False with --no-router. */
  readonly router?: boolean;
}

export function withRouter(command: Command): Command {
  return command
    .option(
      '--route <types=template>',
      'such as bug=careful or task,feature=quick@3; may be repeated; replaces the routes before',
      collect,
    )
    .option('--default-template <name>', 'for the types of tickets that no route names')
    .option('--no-router', 'no templates');
}

/** What was said of templates: all of it, since it replaces what was there; null with --no-router; undefined where nothing was said. */
export function routerGiven({ route, defaultTemplate, router = true }: RouterOptions): Router | null | undefined {
  const isSaid = route !== undefined || defaultTemplate !== undefined;
  if (!router && isSaid) throw usage('Give --no-router, or --route and --default-template');
  if (!router) return null;
  if (!isSaid) return undefined;
  const routes = (route ?? []).map(routeGiven);
  const twice = routes.flatMap(({ types }) => types).find((type, at, all) => all.indexOf(type) !== at);
  if (twice !== undefined) throw usage(`--route: ${twice} has two templates`, 'Give each type once');
  return { routes, ...(defaultTemplate === undefined ? {} : { default: reference('--default-template', defaultTemplate) }) };
}

function routeGiven(text: string): Router['routes'][number] {
  const [types = '', template, more] = text.split('=');
  if (template === undefined || more !== undefined) throw usage(`--route: '${text}' is no route`, 'Such as: --route bug=careful');
  return { types: types.split(',').map(typeGiven), template: reference('--route', template) };
}

function typeGiven(text: string): RoutedType {
  const type = routedTypes.find(each => each === text.trim());
  if (type === undefined)
    throw usage(`--route: '${text}' is no type of a ticket that is worked on`, `There are ${routedTypes.join(', ')}`);
  return type;
}

function reference(option: string, text: string): string {
  const checked = templateReference.safeParse(text.trim());
  if (!checked.success) throw usage(`${option}: '${text}' is no name of a template`, 'Such as: careful, or careful@3');
  return checked.data;
}

export function routerText(router: Router | null): string | null {
  if (router === null) return null;
  const routes = router.routes.map(({ types, template }) => `${types.join(', ')}: ${template}`);
  return [...routes, ...(router.default === undefined ? [] : [`all else: ${router.default}`])].join('\n');
}
