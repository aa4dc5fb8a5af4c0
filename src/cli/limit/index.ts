import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { limitList } from './list.ts';
import { limitRemove } from './remove.ts';
import { limitSet } from './set.ts';

export function limitCommands(world: World): Command {
  return noun('limit', 'How many runs may be under way at once', [limitSet(world), limitList(world), limitRemove(world)]);
}
