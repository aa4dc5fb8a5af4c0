import { Option } from 'commander';
import type { Command } from 'commander';
import type { WireRun } from '../../../contract/runs.ts';
import { remoteCommand, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { shortId, ticketId } from '../input/id.ts';
import { printList } from '../output/list.ts';
import { painted } from '../output/text.ts';
import { runs, runStates } from './find.ts';

interface Options extends RemoteOptions {
  readonly state?: string;
  readonly ticket?: string;
  readonly limit?: number;
}

export function runList(world: World): Command {
  return remoteCommand({ name: 'list', description: 'List runs', examples: ['skep run list --state working'] })
    .addOption(new Option('--state <state>', 'only those in this state').choices([...runStates]))
    .option('--ticket <id>', 'only those of this ticket', ticketId)
    .option('--limit <n>', 'at most so many', whole(1, 1_000_000))
    .action(async (options: Options) => {
      const context = await connect(world, options);
      await printList(context, {
        pages: runs(context, { state: options.state, ticket_id: options.ticket }, options.limit),
        columns: [
          { title: 'ID', value: run => shortId(run.id) },
          { title: 'SUBJECT', value: subjectOf, max: 24 },
          { title: 'ATTEMPT', value: run => run.attempt },
          { title: 'STATE', value: run => run.state, paint: (text, { state }) => painted(context.out, state, text) },
          { title: 'WORKER', value: run => run.worker, max: 24 },
          { title: 'CREATED', value: run => run.created_at.slice(0, 19) },
          { title: 'FAILURE', value: run => run.failure_class },
        ],
        none: 'There are no such runs.',
      });
    });
}

/** Checks and conflicts are shown with the ticket that they are about. */
function subjectOf({ subject_type, subject_id, ticket_id }: WireRun): string {
  return subject_type === 'ticket' ? subject_id : `${ticket_id ?? 'base'} ${subject_type}`;
}
