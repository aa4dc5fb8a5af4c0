import type { Command } from 'commander';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../kernel/fault.ts';
import { localCommand, usage } from '../command.ts';
import type { World } from '../context.ts';
import { Concluded } from '../report.ts';

export function recordCommand(world: World): Command {
  return localCommand({
    name: 'record',
    description: 'Run a command of skep and write what models answer meanwhile into a folder, as a recording that can be played',
    examples: [
      'skep record recording -- build --repo . --spec card.json --agent codex --model openai/gpt-5-codex',
      'SKEP_RECORDING=recording skep build --repo . --spec card.json --agent codex --model recorded/demo',
    ],
  })
    .argument('<folder>', 'where the recording is written, one file per run')
    .argument('<command...>', 'what to run, after --')
    .action(async (folder: string, words: readonly string[]) => {
      const place = resolve(world.cwd, folder);
      if (words[0] === 'record')
        throw usage('A recording cannot be recorded', 'Give the command that is to be recorded, such as build');
      const before = written(place);
      const code = await runSkep(world, words, place);
      const count = [...written(place)].filter(([name, time]) => before.get(name) !== time).length;
      world.err.write(count === 0 ? nothingRecorded : `Recorded ${count} ${count === 1 ? 'run' : 'runs'} in ${folder}\n`);
      throw new Concluded(code);
    });
}

/** Models are asked by the server; one that ran already was not told to record. */
const nothingRecorded = `Nothing was recorded: the command asked no model, or used a server that runs already.
Stop that one, or start it with SKEP_RECORD_TO set to the folder.
`;

/** Runs a command of this very skep with all that it prints and asks, and returns its exit code. */
async function runSkep(world: World, words: readonly string[], folder: string): Promise<number> {
  const { environmentWith } = await import('../../config.ts');
  const env = environmentWith({ SKEP_RECORD_TO: folder });
  const child = spawn(process.execPath, [program(), ...words], { stdio: 'inherit', cwd: world.cwd, env });
  void world.stopRequested().then(signal => {
    // On a terminal Ctrl-C reaches the child too, and to be asked twice means to stop at once.
    if (signal === 'SIGTERM' || !world.input.isTerminal) child.kill(signal);
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return code ?? (signal === 'SIGINT' ? 130 : 1);
}

/** Beside the sources and beside dist/src alike. */
function program(): string {
  const places = ['../../../bin/skep', '../../../../bin/skep'].map(path => fileURLToPath(new URL(path, import.meta.url)));
  const found = places.find(path => existsSync(path));
  if (found === undefined) throw new Fault('failed', { message: `There is no ${places.join(' and no ')}: install Skep again` });
  return found;
}

/** The files of a recording with the time at which each was written. */
function written(folder: string): Map<string, number> {
  if (!existsSync(folder)) return new Map();
  if (!statSync(folder).isDirectory()) throw usage(`${folder} is a file; a recording is made in a folder`);
  const names = readdirSync(folder).filter(name => name.endsWith('.json') && !name.startsWith('.'));
  return new Map(names.map(name => [name, statSync(resolve(folder, name)).mtimeMs]));
}
