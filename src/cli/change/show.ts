import type { Command } from 'commander';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { readDiff, shownDiff } from './decide.ts';
import { changeText, findChange } from './find.ts';

export function changeShow(world: World): Command {
  const command = remoteCommand({
    name: 'show',
    description: 'Show a change, and what a person should look at',
    examples: ['skep change show TKT-003'],
  }).argument('<id>', 'the change, which may be shortened, or its ticket');
  return command.action(async (id: string, options: RemoteOptions) => {
    const context = await connect(world, options);
    const found = await findChange(context, id);
    context.show(found, () => changeText(context, found));
  });
}

export function changeDiff(world: World): Command {
  const command = remoteCommand({
    name: 'diff',
    description: 'Print what a change will do, or has done, to the branch',
    examples: ['skep change diff TKT-003', 'skep change diff TKT-003 | git apply --stat'],
  }).argument('<id>', 'the change, which may be shortened, or its ticket');
  return command.action(async (id: string, options: RemoteOptions) => {
    const context = await connect(world, options);
    const { id: changeId, ticket_id, head_sha } = await findChange(context, id);
    const diff = await readDiff(context, changeId);
    if (context.json) context.show({ change_id: changeId, ticket_id, head_sha, diff }, () => '');
    else context.out.write(shownDiff(context.out, diff));
  });
}
