import { type NetworkRule, networkRulesMax, ruleKey } from '../../../contract/network/rules.ts';
import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { holdNetwork, setNetwork } from './network.sql.ts';
import type { ProjectRow } from './projects.sql.ts';
import { getProject } from './verbs.ts';

/**
 * Adds a rule to those of a project, in the place of the one for the same host and port. Of two who change rules at once, both stand.
 * Throws Fault `project_not_found`, and `invalid_request` where there would be too many.
 */
export function allowHost(tx: Tx, projectId: string, rule: NetworkRule): Promise<ProjectRow> {
  return change(tx, projectId, rules => {
    const others = rules.filter(each => ruleKey(each) !== ruleKey(rule));
    if (others.length >= networkRulesMax)
      throw new Fault('invalid_request', {
        message: `A project has at most ${networkRulesMax} rules`,
        hint: 'Remove one: skep project network remove PROJECT HOST',
      });
    return [...others, rule];
  });
}

/** Takes the rule away that `key` names, `host` or `host:port`. Throws Fault `project_not_found` and `rule_not_found`. */
export function removeRule(tx: Tx, projectId: string, key: string): Promise<ProjectRow> {
  return change(tx, projectId, rules => {
    const others = rules.filter(each => ruleKey(each) !== key);
    if (others.length === rules.length) throw unknownRule(rules, key);
    return others;
  });
}

async function change(
  tx: Tx,
  projectId: string,
  to: (rules: readonly NetworkRule[]) => readonly NetworkRule[],
): Promise<ProjectRow> {
  const [held] = await tx.query(holdNetwork, [tx.tenantId, projectId]);
  if (held === undefined) throw new Fault('project_not_found');
  await tx.query(setNetwork, [tx.tenantId, projectId, JSON.stringify(to(held.network))]);
  tx.announce({ type: 'project.changed', subject: { type: 'project', id: projectId }, payload: { fields: ['network'] } });
  return getProject(tx, projectId);
}

function unknownRule(rules: readonly NetworkRule[], key: string): Fault {
  const near = rules.filter(({ host }) => host === key.replace(/:\d+$/, '')).map(ruleKey);
  const hint = near.length > 0 ? `There is ${near.join(', ')}` : 'See: skep project network list PROJECT';
  return new Fault('rule_not_found', { message: `No rule of the project is for ${key}`, hint });
}
