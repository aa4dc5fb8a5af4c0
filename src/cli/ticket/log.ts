import type { Command } from 'commander';
import type { WireRun } from '../../../contract/runs.ts';
import { Fault } from '../../kernel/fault.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { ticketId } from '../input/id.ts';
import { gathered } from '../output/list.ts';
import { runs } from '../run/find.ts';
import { printLog } from '../run/log.ts';
import { findTicket } from './find.ts';

interface Options extends RemoteOptions {
  readonly follow?: boolean;
}

export function ticketLog(world: World): Command {
  return remoteCommand({
    name: 'log',
    description: "Print what the agent of a ticket's latest run wrote",
    examples: ['skep ticket log TKT-001 --follow'],
  })
    .argument('<id>', 'the ticket; 1 is TKT-001')
    .option('-f, --follow', 'go on until the run ends')
    .action(async (id: string, options: Options) => {
      const context = await connect(world, options);
      const latest = await latestRun(context, ticketId(id), options.follow === true);
      await printLog(context, latest.id, options.follow === true);
    });
}

/** With `wait`, the first run of a ticket whose turn has not come yet is waited for. */
async function latestRun(context: Context, id: string, wait: boolean): Promise<WireRun> {
  for (;;) {
    // What checks print belongs to its reviews.
    const all = (await gathered(runs(context, { ticket_id: id }))).filter(({ subject_type }) => subject_type !== 'review');
    const latest = all.sort((a, b) => a.attempt - b.attempt || a.created_at.localeCompare(b.created_at)).at(-1);
    if (latest !== undefined) return latest;
    const { status } = await findTicket(context, id);
    if (!wait || status === 'completed' || status === 'cancelled' || status === 'failed') {
      throw new Fault('run_not_found', { message: `${id} is ${status}, and it has no run` });
    }
    await context.clock.sleep(pollMs);
  }
}

const pollMs = 700;
