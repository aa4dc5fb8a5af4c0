import { microUsd, usdText } from '../../../../contract/models/budgets.ts';
import { modelOf } from '../../../../contract/projects.ts';
import type { Tx } from '../../../db/database.ts';
import { Fault } from '../../../kernel/fault.ts';
import { type BudgetRow, getBudget, raiseBudget } from '../../../support/budgets/index.ts';
import { changeAgentModel, editProject } from '../../../support/projects/index.ts';
import { answerQuestion, type Decision, getQuestion, type QuestionRow, readAnswer } from '../../../support/questions/index.ts';
import { getTemplate, nameOf } from '../../../support/templates/index.ts';
import { projectsOfQuestion } from './parking.sql.ts';

/**
 * A person answers: what the answer itself changes (the cap of a budget, the model of a project) holds in the same commit, and what
 * hangs on it goes on soon after. Said again it changes nothing. Throws Fault `invalid_request` for what is no answer to this
 * question, `wrong_state` where it was answered otherwise.
 */
export async function decideQuestion(tx: Tx, id: string, answer: string): Promise<QuestionRow> {
  const { kind } = await getQuestion(tx, id);
  const decision = readAnswer(kind, answer);
  if (decision === undefined) {
    throw new Fault('invalid_request', {
      message: `answer: "${answer.slice(0, 100)}" is none to a question about a budget`,
      hint: 'Answer raise:5.00 (the new cap in dollars) or raise:2000000 tokens, model:NAME to go on with another model, or stop',
    });
  }
  const { question, isFirst } = await answerQuestion(tx, id, answer);
  if (isFirst && decision.kind === 'raise') await raise(tx, question.subjectId, decision);
  if (isFirst && decision.kind === 'model') await useModel(tx, question, decision.model);
  return question;
}

async function raise(tx: Tx, budgetId: string, { amount, unit }: Extract<Decision, { kind: 'raise' }>): Promise<void> {
  const budget = await getBudget(tx, budgetId);
  if (budget === undefined) throw new Fault('budget_not_found', { hint: 'It was removed: answer stop, or retry what waits' });
  const isTokens = unit === 'tokens' || (budget.capMicrousd === null && !amount.includes('.'));
  const cap = isTokens ? Number(amount) : microUsd(amount);
  refuseLess(budget, cap, isTokens);
  await raiseBudget(tx, budgetId, isTokens ? { capTokens: cap } : { capMicroUsd: cap });
}

/** What is no more than it has, or than is spent, would stop the same runs again at once. */
function refuseLess(budget: BudgetRow, wanted: number, isTokens: boolean): void {
  const [cap, spent] = isTokens ? [budget.capTokens, budget.spentTokens] : [budget.capMicrousd, budget.spentMicrousd];
  if (wanted > Math.max(cap ?? 0, spent)) return;
  const text = (value: number) => (isTokens ? `${value} tokens` : `$${usdText(value)}`);
  throw new Fault('invalid_request', {
    message: `answer: the new cap must be above ${text(Math.max(cap ?? 0, spent))}: ${text(spent)} is spent, and the cap is ${cap === null ? 'none' : text(cap)}`,
  });
}

/** Of each project of which something hangs on the question: its agent where that works on tickets, its planner where it plans. */
async function useModel(tx: Tx, { id, projectId }: QuestionRow, model: string): Promise<void> {
  const hanging = await tx.query(projectsOfQuestion, [tx.tenantId, id]);
  const wanted = hanging.length > 0 || projectId === null ? hanging : [{ projectId, isPlanning: false, template: null }];
  for (const each of wanted) {
    if (each.isPlanning) await editProject(tx, each.projectId, { planner: { model } });
    else if (each.template !== null) await requireModel(tx, each.template, model);
    else await changeAgentModel(tx, each.projectId, model);
  }
}

/** A template is shared, and has versions: it is not changed by an answer, but must have the model when what waits goes on. */
async function requireModel(tx: Tx, template: string, model: string): Promise<void> {
  const newest = await getTemplate(tx, nameOf(template));
  const own = modelOf(newest.agent);
  if (own === model) return;
  throw new Fault('invalid_request', {
    message: `answer: what waits works by the template ${newest.id}, whose model is ${own ?? 'its own affair'}`,
    hint: `Put a version of ${newest.name} with ${model} first (skep template put), then answer the same again`,
  });
}
