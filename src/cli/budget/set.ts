import type { Command } from 'commander';
import { budget, microUsd, type WireBudget } from '../../../contract/models/budgets.ts';
import { remoteCommand, usage, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, World } from '../context.ts';
import { fields } from '../output/table.ts';
import { paintedLevel } from './list.ts';
import { amounts, ownerText, scopeOf, type ScopeOptions, withScope } from './scope.ts';

interface Options extends ScopeOptions {
  readonly usd?: string;
  readonly tokens?: number;
}

const tokensMax = 1_000_000_000_000_000;

export function budgetSet(world: World): Command {
  const command = remoteCommand({
    name: 'set',
    description: 'Cap what models may cost. It is the whole of the budget: a cap that is not given is none',
    examples: [
      'skep budget set --project Todo --usd 5',
      'skep budget set --ticket each --usd 0.50 --tokens 2000000',
      'skep budget set --tenant --usd 100',
    ],
  });
  return withScope(command)
    .option('--usd <amount>', 'in US dollars, such as 5 or 0.50', dollars)
    .option('--tokens <n>', 'in tokens, in and out together', whole(0, tokensMax))
    .action(async (options: Options) => {
      const { usd, tokens } = options;
      if (usd === undefined && tokens === undefined) throw usage('Give --usd, --tokens or both');
      const context = await connect(world, options);
      const body = { ...(await scopeOf(context, options)), cap_usd: usd ?? null, cap_tokens: tokens ?? null };
      const made = await context.client.request('PUT', '/api/budgets', { body, schema: budget });
      context.show(made, () => budgetText(context, made));
    });
}

function dollars(given: string): string {
  try {
    microUsd(given);
    return given;
  } catch {
    throw usage(`'${given}' is no amount in dollars`, 'Write it as 5 or 0.50, with at most 6 digits after the point');
  }
}

function budgetText({ out }: Context, it: WireBudget): string {
  return fields([
    ['id', it.id],
    ['for', ownerText(it)],
    ['cap', amounts(it, 'cap')],
    ['spent', amounts(it, 'spent')],
    ['reserved', amounts(it, 'reserved')],
    ['level', it.level, text => paintedLevel(out, it.level, text)],
  ]);
}
