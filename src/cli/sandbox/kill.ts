import type { Command } from 'commander';
import { vmKill } from '../../../contract/fleet/vms.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { findVm } from './find.ts';

export function sandboxKill(world: World): Command {
  return remoteCommand({
    name: 'kill',
    description: 'Kill a sandbox with all that runs in it. Its run fails, and is tried again as after any failure of a machine',
    examples: ['skep sandbox kill 3f2a'],
  })
    .argument('<id>', 'the sandbox; may be shortened')
    .action(async (given: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const { id, worker, state, kill: before } = await findVm(context, given);
      const kill = await context.client.request('POST', `/api/vms/${id}/kill`, { body: {}, schema: vmKill });
      const when = state === 'lost' ? `once ${worker}, which fell silent, is back` : `by ${worker} within a few seconds`;
      const already = before === null ? '' : `; ${kill.by} said so at ${kill.at}`;
      context.show(kill, () => `${id} is killed ${when}${already}`);
    });
}
