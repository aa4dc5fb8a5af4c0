import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { ticketBundle } from './bundle.ts';
import { ticketCancel } from './cancel.ts';
import { ticketCreate } from './create.ts';
import { ticketEdit } from './edit.ts';
import { ticketExport } from './export.ts';
import { ticketGraph } from './graph.ts';
import { ticketList } from './list.ts';
import { ticketLog } from './log.ts';
import { ticketRetry, ticketShow } from './show.ts';

export function ticketCommands(world: World): Command {
  return noun('ticket', 'Pieces of work, their dependencies and their states', [
    ticketList(world),
    ticketShow(world),
    ticketCreate(world),
    ticketEdit(world),
    ticketCancel(world),
    ticketRetry(world),
    ticketGraph(world),
    ticketLog(world),
    ticketBundle(world),
    ticketExport(world),
  ]);
}
