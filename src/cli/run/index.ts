import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { runList } from './list.ts';
import { runLog } from './log.ts';
import { runCancel, runShow } from './show.ts';

export function runCommands(world: World): Command {
  return noun('run', 'Attempts of agents at tickets', [runList(world), runShow(world), runLog(world), runCancel(world)]);
}
