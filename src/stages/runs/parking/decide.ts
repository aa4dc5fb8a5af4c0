import { microUsd, usdText } from '../../../../contract/models/budgets.ts';
import { modelOf } from '../../../../contract/projects.ts';
import type { Tx } from '../../../db/database.ts';
import { Fault } from '../../../kernel/fault.ts';
import { type BudgetRow, getBudget, raiseBudget } from '../../../support/budgets/index.ts';
import { changeAgentModel, editProject, getProject } from '../../../support/projects/index.ts';
import { answerQuestion, type Decision, getQuestion, type QuestionRow, readAnswer } from '../../../support/questions/index.ts';
import { type Routed, routed, versionOf } from '../../../support/templates/index.ts';
import type { RunSettings } from '../settings.ts';
import { projectsOfQuestion } from './parking.sql.ts';

type Settings = Pick<RunSettings, 'modelTargets'>;

/**
 * A person answers: what the answer itself changes (the cap of a budget, the model of a project) holds in the same commit, and what
 * hangs on it goes on soon after. Said again it changes nothing. Throws Fault `invalid_request` for what is no answer to this
 * question, `wrong_state` where it was answered otherwise.
 */
export async function decideQuestion(
  tx: Tx,
  { id, answer }: { readonly id: string; readonly answer: string },
  { modelTargets }: Settings,
): Promise<QuestionRow> {
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
  if (isFirst && decision.kind === 'model') await useModel(tx, question, { model: decision.model, modelTargets });
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

/** Of each project of which something hangs on the question: what works on its tickets where that hangs, its planner where it plans. */
async function useModel(
  tx: Tx,
  { id, projectId }: QuestionRow,
  { model, modelTargets }: { readonly model: string } & Settings,
): Promise<void> {
  const hanging = await tx.query(projectsOfQuestion, [tx.tenantId, id]);
  const wanted = hanging.length > 0 || projectId === null ? hanging : [{ projectId, isPlanning: false, type: null }];
  const agents = new Set<string>();
  for (const each of wanted) {
    if (each.isPlanning) await editProject(tx, each.projectId, { planner: { model } });
    else if ((await requiredOf(tx, each, { model, modelTargets })) === 'agent') agents.add(each.projectId);
  }
  for (const each of agents) await changeAgentModel(tx, each, model);
}

/**
 * What must have the model, as the next attempt will be worked on. A template is shared, and has versions: it is not changed by an
 * answer, but must have the model already.
 */
async function requiredOf(
  tx: Tx,
  { projectId, type }: { readonly projectId: string; readonly type: string | null },
  { model, modelTargets }: { readonly model: string } & Settings,
): Promise<'agent' | 'template'> {
  const project = await getProject(tx, projectId);
  const way = type === null ? undefined : await routed(tx, { project, type, modelTargets });
  if (way === undefined) return 'agent';
  const { id, name, agent } = way.taken;
  const own = modelOf(agent);
  if (own === model) return 'template';
  const isPinned = way.taken === way.first && versionOf(way.reference) !== undefined;
  const mend = isPinned
    ? `${routeOf(project, way)} stays at ${id}: put a version of ${name} with ${model} (skep template put), and have the route name that`
    : `Put a version of ${name} with ${model} first (skep template put)`;
  throw new Fault('invalid_request', {
    message: `answer: what waits works by the template ${id}, whose model is ${own ?? 'its own affair'}`,
    hint: `${mend}, then answer the same again`,
  });
}

function routeOf({ name }: { readonly name: string }, { isOfTenant }: Routed): string {
  return isOfTenant
    ? 'The route of all projects (skep template route)'
    : `The route of the project (skep project set ${name} --route …)`;
}
