import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { brakeLift } from './lift.ts';
import { brakePull } from './pull.ts';
import { brakeShow } from './show.ts';

export function brakeCommands(world: World): Command {
  return noun('brake', 'Holds all claims of runs back, while what runs goes on', [
    brakeShow(world),
    brakePull(world),
    brakeLift(world),
  ]);
}
