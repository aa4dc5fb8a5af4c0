import type { Agent, WireProject } from '../../../../contract/projects.ts';
import { routedTypes, routeIn, routerAnswer } from '../../../../contract/templates/router.ts';
import type { RoutedType, Router } from '../../../../contract/templates/router.ts';
import { Fault, isFault } from '../../../kernel/fault.ts';
import type { Context } from '../../context.ts';
import { findTemplate } from '../../template/find.ts';

/** What works on the tickets of a project: templates, and an agent where they leave some type of ticket to it. */
export interface Works {
  readonly agent: Agent | null;
  readonly templates: Router | null;
}

/** As the server chooses: the project's routes, then its agent, and where it has none the routes of all projects. */
export async function worksOf(
  { client }: Context,
  { router: own, agent: before }: Pick<WireProject, 'agent' | 'router'>,
  wishes: { readonly agent?: Agent },
): Promise<Works> {
  if (isForAll(own)) return { agent: null, templates: own };
  const agent = wishes.agent ?? before;
  if (agent !== null) return { agent, templates: own };
  const { router } = await client.request('GET', '/api/router', { schema: routerAnswer });
  if (own === null || router === null) return { agent, templates: own ?? router };
  const left = router.routes.map(({ types, template }) => ({ types: types.filter(type => !names(own, type)), template }));
  return { agent, templates: { ...router, routes: [...own.routes, ...left.filter(({ types }) => types.length > 0)] } };
}

/** Whether a router leaves nothing to an agent. */
export function isForAll(router: Router | null): boolean {
  return routedTypes.every(type => routeIn(router, type) !== undefined);
}

function names({ routes }: Router, type: RoutedType): boolean {
  return routes.some(({ types }) => types.includes(type));
}

/** What a build makes, whatever other tickets a project has. */
export const builtType: RoutedType = 'feature';

/** One that may be chosen for a run. */
export interface Hand {
  readonly agent: Agent;
  /** The version that names it, and when that is taken; undefined: the project's own agent. */
  readonly of: { readonly template: string; readonly when: string } | undefined;
  /** The build can go on without it. */
  readonly isSpare: boolean;
}

/** All that a run of a build may come to: what the routes name and what stands in for that, or else the agent. */
export async function handsOf(context: Context, { agent, templates }: Works): Promise<readonly Hand[]> {
  const reference = routeIn(templates, builtType);
  if (reference === undefined) return agent === null ? [] : [{ agent, of: undefined, isSpare: false }];
  const { id, agent: named, fallback } = await findTemplate(context, reference);
  const of = { template: id, when: `works on what is a ${builtType}` };
  const hands = new Map<string, Hand>([[id, { agent: named, of, isSpare: false }]]);
  for (const name of fallback) {
    const found = await findTemplate(context, name).catch(undefinedIfGone);
    if (found === undefined || hands.has(found.id)) continue;
    hands.set(found.id, { agent: found.agent, of: { template: found.id, when: `stands in for ${id}` }, isSpare: true });
  }
  return [...hands.values()];
}

/** An older version may fall back to a template that was removed since: the server passes over it too. */
function undefinedIfGone(error: unknown): undefined {
  if (!isFault(error) || error.code !== 'template_not_found') throw error;
}

/** What is wrong with one of them, as whoever has to mend it must know it: with the template, the version and the field. */
export function faultOf({ of }: Hand, field: string, fault: Fault): Fault {
  if (of === undefined) return fault;
  const { template, when } = of;
  const other = `Or put a version of the template with another ${field}: skep template put; a route that stays at a version must name the new one`;
  return new Fault(fault.code, {
    message: `The template ${template}, which ${when}, cannot be used: ${field}: ${fault.message}`,
    hint: fault.hint === undefined ? other : `${fault.hint}. ${other}`,
    facts: { ...fault.facts, template, field },
    cause: fault,
  });
}
