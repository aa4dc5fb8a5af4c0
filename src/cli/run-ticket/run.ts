import type { Command } from 'commander';
import { StringDecoder } from 'node:string_decoder';
import { systemClock } from '../../kernel/clock.ts';
import { Fault } from '../../kernel/fault.ts';
import { createLog } from '../../kernel/log.ts';
import { runOnce } from '../../worker/index.ts';
import type { RunEnd, WorkerChange } from '../../worker/index.ts';
import { remoteCommand } from '../command.ts';
import { tamedLog } from '../output/text.ts';
import { connected } from '../worker/connection.ts';
import type { ConnectionOptions } from '../worker/connection.ts';
import { asJson, endText } from '../worker/lines.ts';
import { workerParts } from '../worker/parts.ts';
import { onStopSignals } from '../worker/signals.ts';

interface Options extends ConnectionOptions {
  readonly json?: boolean;
}

export function runTicketCommand(): Command {
  return remoteCommand({
    name: 'run-ticket <id>',
    description: 'Runs one ready ticket here and now, with the output of its agent. Ctrl-C ends it and hands it back',
    examples: ['skep run-ticket TKT-001'],
  })
    .argument('<id>', 'a ticket that is ready, such as TKT-001')
    .action(runTicket);
}

async function runTicket(ticketId: string, options: Options): Promise<void> {
  const { settings, client } = connected(options);
  const log = createLog(settings.SKEP_LOG_LEVEL);
  const parts = workerParts({ client, settings, clock: systemClock, log });
  const stopping = new AbortController();
  const unlisten = onStopSignals([() => stopping.abort()]);
  try {
    const show = options.json === true ? { onChange: jsonLine } : { onOutput: terminal() };
    const end = await runOnce({ ...parts, ...show }, { ...show, ticketId, stop: stopping.signal });
    conclude(ticketId, end, options.json === true);
  } finally {
    unlisten();
  }
}

function jsonLine(change: WorkerChange): void {
  process.stdout.write(`${asJson(change)}\n`);
}

/** The agent's output, without what could steer the terminal. */
function terminal(): (chunk: Buffer) => void {
  const decoder = new StringDecoder('utf8');
  return chunk => void process.stdout.write(tamedLog(decoder.write(chunk)));
}

function conclude(ticketId: string, end: RunEnd, isJson: boolean): void {
  if (end.kind === 'lost') throw end.reason;
  if (end.kind === 'failed') throw new Fault('failed', { message: `${ticketId} failed, ${endText(end)}` });
  if (!isJson) process.stdout.write(`${ticketId} submitted: ${endText(end)}\n`);
}
