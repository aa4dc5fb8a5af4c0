import { templateReference } from '../../../contract/templates/names.ts';
import { templateShown } from '../../../contract/templates/wire.ts';
import type { WireTemplate, WireTemplateShown } from '../../../contract/templates/wire.ts';
import { usage } from '../command.ts';
import type { Context } from '../context.ts';
import { fields } from '../output/table.ts';
import { acpRows } from '../project/acp.ts';
import { agentText } from '../project/agent.ts';

/** The newest version of `careful`, or the version of `careful@3`. Throws Fault `template_not_found`. */
export function findTemplate({ client }: Context, reference: string): Promise<WireTemplateShown> {
  const checked = templateReference.safeParse(reference);
  if (!checked.success) throw usage(`'${reference}' is no name of a template`, 'Such as: careful-codex, or careful-codex@3');
  const [name = '', version] = checked.data.split('@');
  return client.request('GET', `/api/templates/${name}`, { query: { version }, schema: templateShown });
}

export function templateText(it: WireTemplate): string {
  return fields(templateFields(it));
}

export function shownText(it: WireTemplateShown): string {
  return fields([...templateFields(it), ['used by', it.used_by.join('\n')]]);
}

function templateFields(it: WireTemplate): Parameters<typeof fields>[0] {
  const { agent, tools, limits } = it;
  return [
    ['template', it.id],
    ['description', it.description],
    ['extends', it.lineage.join(', which extends ')],
    ['agent', `${'command' in agent ? `${agent.kind}: ` : ''}${agentText(agent)}`],
    ...acpRows(agent),
    ['timeout', agent.timeout_ms === undefined ? null : `${agent.timeout_ms / 1000} s`],
    ['tools', tools === null ? null : tools.join(', ') || 'none'],
    [
      'limits',
      Object.entries(limits)
        .map(([name, value]) => `${name} ${value}`)
        .join('\n'),
    ],
    ['fallback', it.fallback.join(', ')],
    ['prompt', it.prompt],
    ['created', it.created_at],
  ];
}
