import { type ModelWire, wireOfAgent } from '../../../contract/models/catalog.ts';
import { type Agent, modelOf } from '../../../contract/projects.ts';
import { type Router, routeIn } from '../../../contract/templates/router.ts';
import type { Tx } from '../../db/database.ts';
import { nameOf, versionOf } from './model/extend.ts';
import { type Candidate, type Choice, choose } from './model/fallback.ts';
import { findVersion } from './reads.ts';
import { getRouter } from './router.ts';
import { openBreakers, type VersionRow } from './templates.sql.ts';

interface ModelTarget {
  readonly provider: string;
  readonly model: string;
}

/** Who answers for a model over a wire, or over any, as the gateway's catalog has it. */
export type ModelTargets = (model: string, wire: ModelWire | undefined) => readonly ModelTarget[];

interface Work {
  readonly project: { readonly agent: Agent | null; readonly router: Router | null };
  /** Of the ticket. */
  readonly type: string;
  readonly modelTargets: ModelTargets;
}

/** The version by which a run is to be worked on. */
export interface Routed {
  /** What the router names. */
  readonly first: VersionRow;
  /** The same, or what stands in for it. */
  readonly taken: VersionRow;
  readonly standsIn: Choice['standsIn'];
  /** As the router says it. */
  readonly reference: string;
  /** Whether that is the tenant's, and not the project's own. */
  readonly isOfTenant: boolean;
}

/**
 * What the project's router says; where it says nothing the project's own agent works; where there is none either, what the tenant's
 * router says. Undefined: no template.
 */
export async function routed(tx: Tx, { project, type, modelTargets }: Work): Promise<Routed | undefined> {
  const own = routeIn(project.router, type);
  const reference = own ?? (project.agent === null ? routeIn(await getRouter(tx), type) : undefined);
  if (reference === undefined) return undefined;
  const first = await findVersion(tx, { name: nameOf(reference), version: versionOf(reference), isRemovedToo: true });
  if (first === undefined) throw new Error(`the router names ${reference}, which is not there`);
  const said = { reference, isOfTenant: own === undefined };
  if (first.fallback.length === 0) return { ...said, first, taken: first, standsIn: null };
  const others: VersionRow[] = [];
  for (const name of first.fallback) others.push(...[(await findVersion(tx, { name })) ?? []].flat());
  const candidates = await candidatesOf(tx, [first, ...others], modelTargets);
  const choice = choose(candidates[0] ?? { id: first.id, targets: [] }, candidates.slice(1));
  return { ...said, first, taken: others.find(({ id }) => id === choice.id) ?? first, standsIn: choice.standsIn };
}

async function candidatesOf(tx: Tx, versions: readonly VersionRow[], modelTargets: ModelTargets): Promise<Candidate[]> {
  const targets = new Map(versions.map(({ id, agent }) => [id, targetsOf(agent, modelTargets)]));
  const all = [...targets.values()].flat();
  const open = await tx.query(openBreakers, [tx.tenantId, all.map(({ provider }) => provider), all.map(({ model }) => model)]);
  return versions.map(({ id }) => ({
    id,
    targets: (targets.get(id) ?? []).map(({ provider, model }) => {
      const found = open.find(each => each.provider === provider && each.model === model);
      return { name: `${provider}/${model}`, breaker: found === undefined ? 'closed' : found.isDue ? 'due' : 'open' };
    }),
  }));
}

/** Those that the agent can be answered by: a provider that does not speak its wire stands in for nobody. */
function targetsOf(agent: Agent, modelTargets: ModelTargets): readonly ModelTarget[] {
  const model = modelOf(agent);
  return model === undefined ? [] : modelTargets(model, wireOfAgent(agent));
}
