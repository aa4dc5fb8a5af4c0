import { usdText } from '../../../../contract/models/budgets.ts';
import type { Tx } from '../../../db/database.ts';
import type { BudgetRow, Spent } from '../../../support/budgets/index.ts';
import { openQuestion } from '../../../support/questions/index.ts';

/** Asks a person what is to become of a spent budget, or finds the question that is open; its id. */
export async function askAboutBudget(tx: Tx, { budget, message, run }: Spent): Promise<string> {
  const { scope } = budget;
  // Of the tenant, or of a kind of agent, it is about no single project.
  const isOfProject = scope !== 'tenant' && scope !== 'agent';
  const isOfSpec = isOfProject && scope !== 'project';
  const { id } = await openQuestion(tx, {
    kind: 'budget',
    subject: { type: 'budget', id: budget.id },
    text: `${message}. What it stops waits with its work.`,
    options: [
      { id: `raise:${suggestion(budget)}`, label: 'Raise the cap, to this or any amount above what is spent' },
      { id: 'model', label: 'Go on with another model, as model:NAME' },
      { id: 'stop', label: 'Give up what is stopped' },
    ],
    projectId: isOfProject ? run.projectId : null,
    specId: isOfSpec ? run.specId : null,
    ticketId: isOfSpec && scope !== 'spec' ? run.ticketId : null,
    runId: scope === 'run' ? run.runId : null,
  });
  return id;
}

/** Twice what it has. */
function suggestion({ capMicrousd, capTokens, spentMicrousd, spentTokens }: BudgetRow): string {
  const money = capMicrousd !== null && (capTokens === null || spentMicrousd / capMicrousd >= spentTokens / capTokens);
  if (money) return usdText(2 * Math.max(capMicrousd, spentMicrousd, 500_000));
  return `${2 * Math.max(capTokens ?? 0, spentTokens, 1_000)} tokens`;
}
