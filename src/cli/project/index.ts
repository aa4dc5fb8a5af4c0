import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { projectCreate } from './create.ts';
import { projectList } from './list.ts';
import { projectNetwork } from './network.ts';
import { projectSet } from './set.ts';
import { projectShow } from './show.ts';

export function projectCommands(world: World): Command {
  return noun('project', 'Repositories and the agents that work on them', [
    projectCreate(world),
    projectList(world),
    projectShow(world),
    projectSet(world),
    projectNetwork(world),
  ]);
}
