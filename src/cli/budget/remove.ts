import type { Command } from 'commander';
import { budget } from '../../../contract/models/budgets.ts';
import { Fault } from '../../kernel/fault.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, World } from '../context.ts';
import { wholeId } from '../input/id.ts';
import { budgets } from './list.ts';
import { ownerText, scopeOf, type ScopeOptions, withScope } from './scope.ts';

export function budgetRemove(world: World): Command {
  const command = remoteCommand({
    name: 'remove',
    description: 'Take a budget away; what was made from one for each goes with it. What was spent stays on record',
    examples: ['skep budget remove 3f2a', 'skep budget remove --ticket each'],
  }).argument('[id]', 'the budget, which may be shortened; or name what it is for');
  return withScope(command).action(async (given: string | undefined, options: ScopeOptions) => {
    const context = await connect(world, options);
    const id = given === undefined ? await ofScope(context, options) : await ofId(context, given);
    const removed = await context.client.request('DELETE', `/api/budgets/${id}`, { schema: budget });
    context.show(removed, () => `removed  ${removed.id}  ${ownerText(removed)}`);
  });
}

function ofId(context: Context, given: string): Promise<string> {
  return wholeId(given, {
    noun: 'budget',
    notFound: 'budget_not_found',
    all: async () => (await budgets(context, {})).map(({ id }) => id),
  });
}

async function ofScope(context: Context, options: ScopeOptions): Promise<string> {
  const [found] = await budgets(context, await scopeOf(context, options));
  if (found === undefined) throw new Fault('budget_not_found', { hint: 'See: skep budget list' });
  return found.id;
}
