import type { Command } from 'commander';
import { systemClock } from '../../kernel/clock.ts';
import { createLog } from '../../kernel/log.ts';
import { createWorker } from '../../worker/index.ts';
import type { WorkerChange } from '../../worker/index.ts';
import { remoteCommand } from '../command.ts';
import { connected } from './connection.ts';
import type { ConnectionOptions } from './connection.ts';
import { asJson, asLine } from './lines.ts';
import { workerParts } from './parts.ts';
import { onStopSignals } from './signals.ts';

interface Options extends ConnectionOptions {
  readonly name?: string;
  readonly json?: boolean;
}

export function workerCommand(): Command {
  return remoteCommand({
    name: 'worker',
    description:
      'Claims runs from a server and executes them in sandboxes. Ctrl-C lets running ones end; twice ends them at once',
    examples: ['skep worker --token-file worker.token', 'skep worker --server https://skep.example.org --slots 4'],
  })
    .option('--slots <count>', 'runs at once; default: SKEP_WORKER_SLOTS or 2')
    .option('--name <name>', 'unique among the workers of a server; default: host name and process id')
    .action(runWorker);
}

async function runWorker(options: Options): Promise<void> {
  const { settings, client } = connected(options);
  const parts = workerParts({
    client,
    settings,
    name: options.name,
    clock: systemClock,
    log: createLog(settings.SKEP_LOG_LEVEL),
  });
  const say = options.json === true ? asJson : asLine;
  const onChange = (change: WorkerChange): void => void process.stdout.write(`${say(change)}\n`);
  const worker = createWorker({ ...parts, slots: settings.SKEP_WORKER_SLOTS, onChange });
  const unlisten = onStopSignals([() => void worker.stop({ graceMs: Infinity }), () => void worker.stop({ graceMs: 0 })]);
  try {
    await worker.start();
    if (options.json !== true) process.stdout.write(ready(parts.name, settings));
    await worker.ended;
  } finally {
    unlisten();
  }
}

function ready(name: string, settings: { readonly SKEP_SERVER: string; readonly SKEP_WORKER_SLOTS: number }): string {
  return `worker ${name} takes up to ${settings.SKEP_WORKER_SLOTS} runs at once from ${settings.SKEP_SERVER}\n`;
}
