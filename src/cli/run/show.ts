import type { Command } from 'commander';
import { run } from '../../../contract/runs.ts';
import { ticket } from '../../../contract/tickets.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { ticketText } from '../ticket/find.ts';
import { runId, runShown, runText, shownText } from './find.ts';
import { refusedIn } from './refusals.ts';

export function runShow(world: World): Command {
  return remoteCommand({ name: 'show', description: 'Show a run', examples: ['skep run show 3f2a'] })
    .argument('<id>', 'the run; may be shortened')
    .action(async (id: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const shown = await runShown(context, await runId(context, id));
      const refused = await refusedIn(context, shown.run);
      const document = { ...shown.run, artifacts: shown.artifacts, refused: refused.refusals };
      context.show(document, () => shownText(context, { ...shown, refused }));
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

export function runRetry(world: World): Command {
  return remoteCommand({
    name: 'retry',
    description: 'Give the ticket of a failed run, or of one that waits for an answer, a new set of attempts',
    examples: ['skep run retry 3f2a', 'skep run retry 3f2a --anew'],
  })
    .argument('<id>', 'the last run of its ticket; may be shortened')
    .option('--anew', 'begin without the work and the conversation of the attempts before')
    .action(async (id: string, options: RemoteOptions & { anew?: boolean }) => {
      const context = await connect(world, options);
      const path = `/api/runs/${await runId(context, id)}/retry`;
      const now = await context.client.request('POST', path, { body: { anew: options.anew === true }, schema: ticket });
      context.show(now, () => ticketText(context, now));
    });
}
