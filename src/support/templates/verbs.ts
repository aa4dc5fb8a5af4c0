import { isDeepStrictEqual } from 'node:util';
import { agent as agentSchema, type Agent, modelOf } from '../../../contract/projects.ts';
import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { findCycle } from '../../kernel/graph.ts';
import { type ReadTemplate, readTemplate, type Source } from './document.ts';
import { extend, nameOf, refuseChain, versionOf, type Whole } from './model/extend.ts';
import { findVersion, getTemplate } from './reads.ts';
import {
  countTemplates,
  holdTemplates,
  insertTemplates,
  insertVersion,
  removeTemplateRow,
  setNewest,
  usersOfTemplate,
  type VersionRow,
} from './templates.sql.ts';

/** Of a tenant; each list shows all of them. */
export const templatesMax = 1_000;
/** Of one template. */
const versionsMax = 10_000;

export interface Put {
  readonly row: VersionRow;
  /** False: the newest version was the same already. */
  readonly isNew: boolean;
}

/**
 * Puts templates, all or none: what has changed becomes the next version of its name, whole with what it has from those that it
 * extends, at their newest. They may extend and stand in for each other. Throws Fault `invalid_template`, `too_large`.
 */
export async function putTemplates(tx: Tx, sources: readonly Source[]): Promise<Put[]> {
  const read = parentsFirst(sources.map(readTemplate));
  const names = read.map(({ name }) => name);
  await tx.query(insertTemplates, [tx.tenantId, names]);
  const named = read.flatMap(each => [...(each.extends === undefined ? [] : [nameOf(each.extends)]), ...(each.fallback ?? [])]);
  await tx.query(holdTemplates, [tx.tenantId, [...new Set([...names, ...named])]]);
  const put: Put[] = [];
  for (const each of read) put.push(await putOne(tx, each));
  for (const [i, each] of read.entries()) await requireFallbacks(tx, each, put[i]?.row.fallback ?? []);
  const [there] = await tx.query(countTemplates, [tx.tenantId]);
  if ((there?.count ?? 0) > templatesMax)
    throw new Fault('too_large', {
      message: `There are at most ${templatesMax} templates`,
      hint: 'Remove some: skep template list',
    });
  return put;
}

/** No new work begins with it; its versions stay, since runs name them. Throws Fault `template_not_found`, `wrong_state` where it is in use. */
export async function removeTemplate(tx: Tx, name: string): Promise<VersionRow> {
  await tx.query(holdTemplates, [tx.tenantId, [name]]);
  const template = await getTemplate(tx, name);
  const users = await usersOf(tx, name);
  if (users.length > 0) {
    throw new Fault('wrong_state', {
      message: `The template ${name} is in use by ${users.join(', ')}`,
      hint: 'Have them use another one first: skep project set NAME --route … or --no-router; skep template put',
      facts: { used_by: users },
    });
  }
  await tx.query(removeTemplateRow, [tx.tenantId, name]);
  tx.announce({ type: 'template.removed', subject: { type: 'template', id: name }, payload: { version: template.version } });
  return template;
}

export async function usersOf(tx: Tx, name: string): Promise<string[]> {
  const users = await tx.query(usersOfTemplate, [tx.tenantId, name]);
  return users.map(user => (user.what === 'tenant' ? 'the router of all projects' : `${user.what} ${user.name}`));
}

/** In the order in which they can be put. Throws Fault `invalid_template` for a name that stands twice, or a circle. */
function parentsFirst(read: readonly ReadTemplate[]): readonly ReadTemplate[] {
  const byName = new Map<string, ReadTemplate>();
  for (const each of read) {
    const other = byName.get(each.name);
    if (other !== undefined) throw each.refuse(['name'], `${other.file} is the template ${each.name} already`);
    byName.set(each.name, each);
  }
  const parentOf = (each: ReadTemplate) => (each.extends === undefined ? undefined : byName.get(nameOf(each.extends)));
  const cycle = findCycle(read.map(each => ({ id: each.name, needs: [parentOf(each)?.name ?? []].flat() })));
  const first = byName.get(cycle?.[0] ?? '');
  if (first !== undefined)
    throw first.refuse(['extends'], `the templates extend each other in a circle: ${(cycle ?? []).join(' → ')}`);
  const ordered = new Set<ReadTemplate>();
  for (const each of read) {
    const chain: ReadTemplate[] = [];
    for (let next: ReadTemplate | undefined = each; next !== undefined; next = parentOf(next)) chain.unshift(next);
    for (const next of chain) ordered.add(next);
  }
  return [...ordered];
}

async function putOne(tx: Tx, read: ReadTemplate): Promise<Put> {
  const { name, source, description = null } = read;
  const parent = read.extends === undefined ? undefined : await parentOf(tx, read, read.extends);
  const lineage = parent === undefined ? [] : [parent.id, ...parent.lineage];
  const refused = refuseChain(name, lineage);
  if (refused !== undefined) throw read.refuse(['extends'], refused);
  const { agent, ...whole } = checked(read, extend(read, parent));

  const before = await findVersion(tx, { name, isRemovedToo: true });
  const isSame = before !== undefined && before.source === source && isDeepStrictEqual(settingsOf(before), { agent, ...whole });
  const version = isSame ? before.version : (before?.version ?? 0) + 1;
  if (version > versionsMax)
    throw new Fault('too_large', { message: `The template ${name} has ${versionsMax} versions: make another one` });
  const { prompt, limits, fallback, tools } = whole;
  const texts = [source, description, lineage, JSON.stringify(agent), prompt, JSON.stringify(limits), fallback, tools];
  const [row] = isSame ? [before] : await tx.query(insertVersion, [tx.tenantId, name, version, ...texts]);
  if (row === undefined) throw new Error(`version ${version} of ${name} was neither found nor made`);
  await tx.query(setNewest, [tx.tenantId, name, version]);
  if (!isSame) tx.announce({ type: 'template.changed', subject: { type: 'template', id: name }, payload: { version } });
  return { row, isNew: !isSame };
}

async function parentOf(tx: Tx, read: ReadTemplate, reference: string): Promise<VersionRow> {
  const [name, version] = [nameOf(reference), versionOf(reference)];
  const found = await findVersion(tx, { name, version });
  if (found !== undefined) return found;
  const near = version === undefined ? undefined : await findVersion(tx, { name });
  const mend = near === undefined ? 'put it first, or together with this one' : `its newest is ${near.id}`;
  throw read.refuse(['extends'], `there is no template ${reference}: ${mend}`);
}

/** Its agent with all that its kind needs. */
function checked(read: ReadTemplate, { agent, ...whole }: Whole): Omit<Whole, 'agent'> & { readonly agent: Agent } {
  if (agent.kind === undefined) throw read.refuse(['agent'], 'say the kind of the agent, such as kind: codex');
  const parsed = agentSchema.safeParse(agent);
  if (parsed.success) {
    refuseUncounted(read, parsed.data, whole);
    refuseTools(read, parsed.data, whole);
    return { ...whole, agent: parsed.data };
  }
  const [issue] = parsed.error.issues;
  const [field] = issue?.path ?? [];
  const isMissing = typeof field === 'string' && !(field in agent);
  if (isMissing) throw read.refuse(['agent', field], `is missing: an agent of the kind ${agent.kind} needs it`);
  const odd = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  if (odd !== undefined) throw read.refuse(['agent', odd], `an agent of the kind ${agent.kind} has no ${odd}: take it away`);
  throw read.refuse(['agent', ...(issue?.path ?? [])], issue?.message ?? 'is not valid');
}

/** What asks no model through the gateway has no calls that could be counted. */
function refuseUncounted(read: ReadTemplate, agent: Agent, { limits }: Pick<Whole, 'limits'>): void {
  if (modelOf(agent) !== undefined) return;
  const field = (['turns_max', 'tokens_max'] as const).find(name => limits[name] !== undefined);
  if (field === undefined) return;
  const why = `an agent of the kind ${agent.kind}${agent.kind === 'exec' ? ' without a model' : ''} asks none through the gateway, which counts them`;
  throw read.refuse(['limits', field], `cannot be kept: ${why}`);
}

/** What has no way to the gateway has no tools of ours that could be given or taken. */
function refuseTools(read: ReadTemplate, agent: Agent, { tools }: Pick<Whole, 'tools'>): void {
  if (tools === null || (modelOf(agent) !== undefined && agent.kind !== 'model')) return;
  throw read.refuse(
    [read.tools === undefined ? 'extends' : 'tools'],
    `an agent of the kind ${agent.kind}${agent.kind === 'exec' ? ' without a model' : ''} has no tools of Skep's: take them away, or say tools: all`,
  );
}

function settingsOf({ agent, prompt, limits, fallback, tools }: VersionRow): object {
  return { agent, prompt, limits, fallback, tools };
}

/** Those that it has from others too: an older version may name what was removed since. */
async function requireFallbacks(tx: Tx, read: ReadTemplate, fallback: readonly string[]): Promise<void> {
  for (const [at, name] of fallback.entries()) {
    if (name === read.name) throw read.refuse(['fallback', at], 'a template does not stand in for itself');
    if ((await findVersion(tx, { name })) !== undefined) continue;
    if (read.fallback !== undefined)
      throw read.refuse(['fallback', at], `there is no template ${name}: put it first, or together with this one`);
    throw read.refuse(['extends'], `${read.extends} falls back to ${name}, which is not there: put that, or say a fallback here`);
  }
}
