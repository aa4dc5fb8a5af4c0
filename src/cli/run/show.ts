import type { Command } from 'commander';
import { run } from '../../../contract/runs.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { runById, runId, runText } from './find.ts';

export function runShow(world: World): Command {
  return remoteCommand({ name: 'show', description: 'Show a run', examples: ['skep run show 3f2a'] })
    .argument('<id>', 'the run; may be shortened')
    .action(async (id: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const found = await runById(context, await runId(context, id));
      context.show(found, () => runText(context, found));
    });
}

export function runCancel(world: World): Command {
  return remoteCommand({ name: 'cancel', description: 'Stop a run', examples: ['skep run cancel 3f2a'] })
    .argument('<id>', 'the run; may be shortened')
    .action(async (id: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const path = `/api/runs/${await runId(context, id)}/cancel`;
      const now = await context.client.request('POST', path, { body: {}, schema: run });
      context.show(now, () => runText(context, now));
    });
}
