import { spawn } from 'node:child_process';
import { chmodSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentWith } from '../../config.ts';
import { Fault } from '../../kernel/fault.ts';
import { recordedLabel } from '../build/recorded.ts';
import { shellWord } from '../output/text.ts';
import { readNote } from '../server/note.ts';
import type { ServerNote } from '../server/note.ts';
import { demoSlots } from './options.ts';
import type { Demo } from './options.ts';
import { writeState } from './state.ts';
import { demoSettings } from './world.ts';

/** Starts server and worker as a process of its own, on the data of the demo, and says how to reach and how to stop it. */
export async function keepRunning(demo: Demo): Promise<void> {
  const { clone, places, options, world } = demo;
  const note = await startServer(demo);
  writeState(clone, { folder: places.folder, agent: options.agent, isChaotic: false, pid: note.pid, isKept: true });
  const tokenFile = join(places.home, 'token');
  writeFileSync(tokenFile, `${note.token}\n`, { mode: 0o600 });
  chmodSync(tokenFile, 0o600);
  const stop = 'npm run demo -- --stop';
  if (options.json === true) {
    const document = { event: 'kept', label: recordedLabel, url: note.url, token_file: tokenFile, stop, ...places };
    world.out.write(`${JSON.stringify(document)}\n`);
    return;
  }
  const home = shellWord(places.home);
  world.out.write(
    [
      '',
      `Server and worker of this ${recordedLabel} go on (process ${note.pid})`,
      `  address     ${note.url}`,
      `  token       ${tokenFile}`,
      `  repository  ${places.repository}`,
      `  to look     bin/skep ticket list --home ${home}; bin/skep cost --home ${home}`,
      `  to stop     ${stop}`,
      '',
    ].join('\n'),
  );
}

const startMsMax = 60_000;
const lookMs = 100;

async function startServer({ clone, places, world }: Demo): Promise<ServerNote> {
  const env = environmentWith(demoSettings(clone, places, { slots: demoSlots, isChaotic: false }));
  const log = openSync(join(places.home, 'server.log'), 'a', 0o600);
  const child = spawn(process.execPath, [clone.program, 'start', '--port', '0'], {
    ...{ cwd: places.folder, env, detached: true },
    // What it prints first is a token.
    stdio: ['ignore', 'ignore', log],
  });
  child.unref();
  for (const until = world.clock.mono() + startMsMax; world.clock.mono() < until; await world.clock.sleep(lookMs)) {
    const note = readNote(places.home);
    if (note !== undefined && note.pid === child.pid) return note;
    if (child.exitCode !== null) break;
  }
  child.kill('SIGTERM');
  throw new Fault('failed', {
    message: 'The server that was to go on did not start',
    hint: `Its last words: ${join(places.home, 'server.log')}`,
  });
}
