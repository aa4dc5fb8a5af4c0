import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { benchSandbox } from './sandbox/run.ts';

export function benchCommands(world: World): Command {
  return noun('bench', 'How quick this machine is at what Skep does on it', [benchSandbox(world)]);
}
