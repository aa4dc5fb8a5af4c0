import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { runFollow } from './follow.ts';
import { runList } from './list.ts';
import { runLog } from './log.ts';
import { runRescue } from './rescue.ts';
import { runTranscript } from './transcript/index.ts';
import { runCancel, runRetry, runShow } from './show.ts';

export function runCommands(world: World): Command {
  const verbs = [runList, runShow, runFollow, runLog, runTranscript, runCancel, runRetry, runRescue];
  return noun(
    'run',
    'Attempts of agents at tickets',
    verbs.map(verb => verb(world)),
  );
}
