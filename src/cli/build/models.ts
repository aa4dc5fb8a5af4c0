import { modelList, wireOfAgent } from '../../../contract/models/catalog.ts';
import { modelOf } from '../../../contract/projects.ts';
import type { Agent, Planner } from '../../../contract/projects.ts';
import type { Context } from '../context.ts';

/**
 * Asks the server for the models of a build before anything is begun with them. Throws Fault `no_model`, which says what to set, or
 * `unknown_model`, which says what there is.
 */
export async function checkModels(
  context: Context,
  { agent, planner }: { readonly agent?: Agent | null | undefined; readonly planner?: Planner | null | undefined },
): Promise<void> {
  const model = modelOf(agent);
  const wire = agent === undefined || agent === null ? undefined : wireOfAgent(agent);
  if (model !== undefined) await check(context, { name: model, ...(wire === undefined ? {} : { wire }) });
  if (planner !== undefined && planner !== null && planner.model !== model) await check(context, { name: planner.model });
}

async function check({ client }: Context, query: { readonly name: string; readonly wire?: string }): Promise<void> {
  await client.request('GET', '/api/models', { query, schema: modelList });
}
