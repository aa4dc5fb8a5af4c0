import type { Command } from 'commander';
import { ticketGraph as schema } from '../../../contract/tickets.ts';
import { remoteCommand, usage } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { findSession } from '../session/find.ts';
import { drawGraph } from './drawing.ts';
import { specId } from './find.ts';

interface Options extends RemoteOptions {
  readonly spec?: string;
  readonly session?: string;
}

export function ticketGraph(world: World): Command {
  return remoteCommand({
    name: 'graph',
    description: 'Draw the tickets of a spec by what they depend on',
    examples: ['skep ticket graph --session 3f2a'],
  })
    .option('--spec <id>', 'the spec; may be shortened')
    .option('--session <id>', 'the spec of this session; may be shortened')
    .action(async (options: Options) => {
      const context = await connect(world, options);
      const graph = await context.client.request('GET', '/api/tickets/graph', {
        query: { spec_id: await wantedSpec(context, options) },
        schema,
      });
      context.show(graph, () => drawGraph(graph, context.out));
    });
}

async function wantedSpec(context: Context, { spec, session }: Options): Promise<string> {
  if ((spec === undefined) === (session === undefined)) throw usage('Give either --session or --spec');
  if (spec !== undefined) return specId(context, spec);
  const found = await findSession(context, session ?? '');
  if (found.spec_id === null)
    throw usage('This session has no spec card yet', `Hand one in: skep session card ${session} card.json`);
  return found.spec_id;
}
