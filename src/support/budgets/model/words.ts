import { type BudgetScope, eachOne, usdText } from '../../../../contract/models/budgets.ts';

interface Named {
  readonly scope: BudgetScope;
  readonly scopeId: string;
  readonly name: string | null;
}

interface Standing extends Named {
  readonly capMicrousd: number | null;
  readonly capTokens: number | null;
  readonly spentMicrousd: number;
  readonly spentTokens: number;
  readonly reservedMicrousd: number;
  readonly reservedTokens: number;
}

/** What people call it: project Todo, ticket TKT-001, each run, the tenant. */
function ownerOf({ scope, scopeId, name }: Named): string {
  if (scope === 'tenant') return 'the tenant';
  if (scopeId === eachOne) return `each ${scope}`;
  const isUuid = scope === 'project' || scope === 'spec' || scope === 'run';
  return `${scope} ${name ?? (isUuid ? scopeId.slice(0, 8) : scopeId)}`;
}

/** Which budget, and how far: all of it, or so much that nothing of use fits into the rest. */
export function spentMessage(budget: Standing): string {
  const { capMicrousd, capTokens, spentMicrousd, spentTokens } = budget;
  const isWhole = reaches(spentMicrousd, capMicrousd) || reaches(spentTokens, capTokens);
  const rest = isWhole ? '' : '; what is left is too little for the next call';
  return `The budget of ${ownerOf(budget)} is spent: ${howFar(budget)}${rest}`;
}

export function busyMessage(budget: Standing, waitMsMax: number): string {
  const { reservedMicrousd, reservedTokens, capMicrousd } = budget;
  const reserved = capMicrousd === null ? `${reservedTokens} tokens are` : `$${usdText(reservedMicrousd)} is`;
  return `Other calls have not given back what they hold of the budget of ${ownerOf(budget)} within ${waitMsMax / 1_000} s: ${howFar(budget)} spent, and ${reserved} reserved`;
}

export function unpricedMessage(budget: Named, model: string): string {
  return `The budget of ${ownerOf(budget)} is in money, and the price of ${model} is not known: give it one under "prices" in the models file, or take a model that has one`;
}

function howFar({ capMicrousd, capTokens, spentMicrousd, spentTokens }: Standing): string {
  const money = capMicrousd === null ? [] : [`$${usdText(spentMicrousd)} of $${usdText(capMicrousd)}`];
  const tokens = capTokens === null ? [] : [`${spentTokens} of ${capTokens} tokens`];
  return [...money, ...tokens].join(', ');
}

function reaches(spent: number, cap: number | null): boolean {
  return cap !== null && spent >= cap;
}
