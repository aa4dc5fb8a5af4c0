import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { agentDoctor } from './doctor.ts';
import { agentInstall } from './install.ts';
import { agentList } from './list.ts';
import { agentTry } from './try/run.ts';

export function agentCommands(world: World): Command {
  return noun('agent', 'Coding agents on this machine: those that Skep installs at one tried version', [
    agentInstall(world),
    agentList(world),
    agentDoctor(world),
    agentTry(world),
  ]);
}
