import type { ReportTool } from '../../../../contract/talk/report-back.ts';
import type { TemplateDocument, TemplateLimits } from '../../../../contract/templates/document.ts';

/** A template with all that it has from others. What its agent lacks is seen when it is checked. */
export interface Whole {
  readonly agent: NonNullable<TemplateDocument['agent']>;
  readonly prompt: string;
  readonly limits: TemplateLimits;
  readonly fallback: readonly string[];
  /** Of Skep's, those that its agent has; null: all. */
  readonly tools: readonly ReportTool[] | null;
}

/**
 * The child over its parent, field by field. Its name and its description are its own; an agent of another kind begins anew, since the
 * command and the model of one kind mean nothing to another. It does not stand in for itself where it stands in for its parent.
 */
export function extend(
  { name, agent = {}, prompt, limits, fallback, tools }: TemplateDocument,
  parent: Whole | undefined,
): Whole {
  const isOtherKind = agent.kind !== undefined && agent.kind !== parent?.agent.kind;
  return {
    agent: { ...(isOtherKind ? {} : parent?.agent), ...agent },
    prompt: prompt ?? parent?.prompt ?? '',
    limits: { ...parent?.limits, ...limits },
    fallback: fallback ?? parent?.fallback.filter(each => each !== name) ?? [],
    tools: tools === 'all' ? null : (tools ?? parent?.tools ?? null),
  };
}

/** Templates on top of each other, the lowest counted too. */
export const chainMax = 8;

/** Why a template may not extend a version: the way back to itself, or too long a way. Undefined where it may. */
export function refuseChain(name: string, lineage: readonly string[]): string | undefined {
  const at = lineage.findIndex(id => nameOf(id) === name);
  if (at !== -1)
    return `the templates extend each other in a circle: ${[name, ...lineage.slice(0, at + 1).map(nameOf)].join(' → ')}`;
  if (lineage.length < chainMax) return undefined;
  return `at most ${chainMax} templates may stand on top of each other, and below ${name} there are ${lineage.length}: ${lineage.join(' → ')}`;
}

/** `careful@3`: the version of which template. */
export function nameOf(reference: string): string {
  return reference.split('@')[0] ?? reference;
}

/** `careful@3`: which version; undefined where the newest is meant. */
export function versionOf(reference: string): number | undefined {
  const [, version] = reference.split('@');
  return version === undefined ? undefined : Number(version);
}
