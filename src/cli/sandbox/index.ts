import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { sandboxDoctor } from './doctor.ts';
import { sandboxExec } from './exec.ts';
import { sandboxKill } from './kill.ts';
import { sandboxList } from './list.ts';
import { sandboxShow } from './show.ts';

export function sandboxCommands(world: World): Command {
  const verbs = [sandboxList, sandboxShow, sandboxExec, sandboxKill, sandboxDoctor];
  return noun(
    'sandbox',
    'Where agents work: seen and handled from outside',
    verbs.map(verb => verb(world)),
  );
}
