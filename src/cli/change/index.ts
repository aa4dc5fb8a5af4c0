import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { changeApprove, changeReject } from './approve.ts';
import { changeList } from './list.ts';
import { changeDiff, changeShow } from './show.ts';

export function changeCommands(world: World): Command {
  return noun('change', 'The work of each ticket on its way into the branch', [
    changeList(world),
    changeShow(world),
    changeDiff(world),
    changeApprove(world),
    changeReject(world),
  ]);
}
