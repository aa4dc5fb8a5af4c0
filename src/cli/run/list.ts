import { Option } from 'commander';
import type { Command } from 'commander';
import type { WireRun } from '../../../contract/runs.ts';
import { remoteCommand, whole } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { shortId, ticketId } from '../input/id.ts';
import { printList } from '../output/list.ts';
import { painted } from '../output/text.ts';
import { findProject } from '../project/find.ts';
import { runHealths, runs, runStates } from './find.ts';

interface Options extends RemoteOptions {
  readonly state?: string;
  readonly ticket?: string;
  readonly project?: string;
  readonly worker?: string;
  readonly health?: string;
  readonly limit?: number;
}

export function runList(world: World): Command {
  return remoteCommand({
    name: 'list',
    description: 'List runs',
    examples: ['skep run list --state working', 'skep run list --project web --health late'],
  })
    .addOption(new Option('--state <state>', 'only those in this state').choices([...runStates]))
    .option('--ticket <id>', 'only those of this ticket', ticketId)
    .option('--project <name>', 'only those of this project')
    .option('--worker <name>', 'only those that this worker holds, or has held')
    .addOption(new Option('--health <health>', 'only those that are held, and so regularly heard of').choices([...runHealths]))
    .option('--limit <n>', 'at most so many', whole(1, 1_000_000))
    .action(async (options: Options) => {
      const context = await connect(world, options);
      await printList(context, {
        pages: runs(context, await filterOf(context, options), options.limit),
        columns: [
          { title: 'ID', value: run => shortId(run.id) },
          { title: 'SUBJECT', value: subjectOf, max: 24 },
          { title: 'ATTEMPT', value: run => run.attempt },
          { title: 'STATE', value: run => run.state, paint: (text, { state }) => painted(context.out, state, text) },
          { title: 'HEALTH', value: run => (run.lease_expires_at === null ? null : run.health) },
          { title: 'PHASE', value: run => (run.lease_expires_at === null ? null : run.phase), max: 18 },
          { title: 'WORKER', value: run => run.worker, max: 24 },
          { title: 'CREATED', value: run => run.created_at.slice(0, 19) },
          { title: 'FAILURE', value: run => run.failure_class },
        ],
        none: 'There are no such runs.',
      });
    });
}

async function filterOf(context: Context, { state, ticket, project, worker, health }: Options) {
  const project_id = project === undefined ? undefined : (await findProject(context, project)).id;
  return { state, ticket_id: ticket, project_id, worker, health };
}

/** Checks and conflicts are shown with the ticket that they are about. */
function subjectOf({ subject_type, subject_id, ticket_id }: WireRun): string {
  return subject_type === 'ticket' ? subject_id : `${ticket_id ?? 'base'} ${subject_type}`;
}
