import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { tokenCreate } from './create.ts';
import { tokenList } from './list.ts';
import { tokenRevoke } from './revoke.ts';

export function tokenCommands(world: World): Command {
  return noun('token', 'Who may do what (for admins)', [tokenCreate(world), tokenList(world), tokenRevoke(world)]);
}
