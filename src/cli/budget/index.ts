import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { budgetList } from './list.ts';
import { budgetRemove } from './remove.ts';
import { budgetSet } from './set.ts';

export function budgetCommands(world: World): Command {
  return noun('budget', 'What models may cost', [budgetSet(world), budgetList(world), budgetRemove(world)]);
}
