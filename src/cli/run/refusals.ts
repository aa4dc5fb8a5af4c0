import { eventPage } from '../../../contract/events.ts';
import { networkRefusal, networkRefused, refusalText } from '../../../contract/network/refusals.ts';
import type { NetworkRefusal } from '../../../contract/network/refusals.ts';
import { networkRule } from '../../../contract/network/rules.ts';
import type { NetworkRule } from '../../../contract/network/rules.ts';
import { project } from '../../../contract/projects.ts';
import type { WireProject } from '../../../contract/projects.ts';
import type { WireRun } from '../../../contract/runs.ts';
import type { Context } from '../context.ts';
import { printable } from '../output/text.ts';
import { allowCommand } from '../project/network-rule.ts';

/** What the sandbox of a run did not reach, each with how often. */
export interface Refused {
  readonly refusals: readonly NetworkRefusal[];
  /** Whose rules decided; undefined where nothing was refused. */
  readonly project: WireProject | undefined;
}

const pageRows = 500;
/** A run says at most so much that it is worth looking through. */
const pagesMax = 20;

export async function refusedIn({ client }: Context, { id, project_id: owner }: WireRun): Promise<Refused> {
  const told = new Map<string, NetworkRefusal>();
  let after: string | undefined;
  for (let pages = 0; pages < pagesMax; pages++) {
    const query = { after, subject: id, limit: pageRows };
    const page = await client.request('GET', '/api/events', { query, schema: eventPage });
    for (const { type, payload } of page.events) {
      const isRefusal = type === 'run.reported' && payload['report'] === networkRefused;
      const { data: refusal } = networkRefusal.safeParse(isRefusal ? payload['details'] : undefined);
      // What is told of again is told with its count until then.
      if (refusal !== undefined) told.set(`${refusal.reason} ${refusal.port ?? ''} ${refusal.host}`, refusal);
    }
    after = page.next;
    if (page.events.length < pageRows) break;
  }
  const refusals = [...told.values()];
  if (refusals.length === 0 || owner === null) return { refusals, project: undefined };
  return { refusals, project: await client.request('GET', `/api/projects/${owner}`, { schema: project }) };
}

/** A line for each, and under it the command that allows it, where one does. */
export function refusedText({ refusals, project: owner }: Refused): string {
  return refusals
    .flatMap(refusal => {
      const times = refusal.count === 1 ? '' : ` (${refusal.count} times)`;
      const rule = owner === undefined ? undefined : ruleFor(refusal, owner.network);
      const command = rule === undefined ? [] : [`  ${allowCommand(printable(owner?.name ?? ''), rule)}`];
      return [`${printable(refusalText(refusal))}${times}`, ...command];
    })
    .join('\n');
}

/** The rule that would have allowed it, on top of the one that there is. Undefined where none does, or a person must look closer. */
function ruleFor({ host, port, method, reason }: NetworkRefusal, rules: readonly NetworkRule[]): NetworkRule | undefined {
  if (port === null || method === null || !['host', 'port', 'method', 'address'].includes(reason)) return undefined;
  if (method === 'TRACE') return undefined;
  const usual = method === 'CONNECT' ? 443 : 80;
  const place = port === usual ? { host } : { host, port };
  const there = rules.find(rule => rule.host === host && (rule.port ?? usual) === port);
  const wanted = {
    ...(there ?? place),
    ...(reason === 'method' ? { methods: [...new Set([...(there?.methods ?? []), method])].sort() } : {}),
    ...(reason === 'address' ? { private: true } : {}),
  };
  // A sandbox said it: what is no rule is no word for a command line either.
  return networkRule.safeParse(wanted).data;
}
