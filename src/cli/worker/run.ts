import type { Command } from 'commander';
import { systemClock } from '../../kernel/clock.ts';
import { createLog } from '../../kernel/log.ts';
import { createWorker } from '../../worker/index.ts';
import type { WorkerChange } from '../../worker/index.ts';
import { label } from '../../../contract/fields.ts';
import { collect, remoteCommand, usage } from '../command.ts';
import type { World } from '../context.ts';
import { connected } from './connection.ts';
import type { ConnectionOptions } from './connection.ts';
import { workerDrains } from './drain.ts';
import { asJson, asLine } from './lines.ts';
import { workerList } from './list.ts';
import { workerParts } from './parts.ts';
import { onStopSignals } from './signals.ts';

interface Options extends ConnectionOptions {
  readonly name?: string;
  readonly json?: boolean;
  readonly label?: readonly string[];
}

export function workerCommand(world: World): Command {
  const command = remoteCommand({
    name: 'worker',
    description:
      'Claims runs from a server and executes them in sandboxes. Ctrl-C lets running ones end; twice ends them at once',
    examples: ['skep worker --token-file worker.token', 'skep worker --server https://skep.example.org --slots 4 --label gpu'],
  })
    // What follows a verb is the verb's.
    .enablePositionalOptions()
    .option('--slots <count>', 'runs at once; default: SKEP_WORKER_SLOTS or 2')
    .option('--name <name>', 'unique among the workers of a server; default: host name and process id')
    .option('--label <label>', 'what this machine has, for projects that ask for it; may be repeated', collect)
    .action(runWorker);
  for (const verb of [workerList(world), ...workerDrains(world)]) command.addCommand(verb);
  return command;
}

async function runWorker(options: Options): Promise<void> {
  const capabilities = (options.label ?? []).map(labelled);
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
  const worker = createWorker({ ...parts, capabilities, slots: settings.SKEP_WORKER_SLOTS, onChange });
  const unlisten = onStopSignals([() => void worker.stop({ graceMs: Infinity }), () => void worker.stop({ graceMs: 0 })]);
  try {
    await worker.start();
    if (options.json !== true) process.stdout.write(ready(parts.name, settings));
    await worker.ended;
  } finally {
    unlisten();
  }
}

function labelled(given: string): string {
  const parsed = label.safeParse(given);
  if (!parsed.success) throw usage(`'${given}' is not a label`, parsed.error.issues[0]?.message);
  return `label:${parsed.data}`;
}

function ready(name: string, settings: { readonly SKEP_SERVER: string; readonly SKEP_WORKER_SLOTS: number }): string {
  return `worker ${name} takes up to ${settings.SKEP_WORKER_SLOTS} runs at once from ${settings.SKEP_SERVER}\n`;
}
