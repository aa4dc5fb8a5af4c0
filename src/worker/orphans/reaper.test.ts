import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, renameSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sandboxFolder, startSandboxWorker } from '../../../test/harness/sandbox-worker.ts';
import type { SandboxWorker } from '../../../test/harness/sandbox-worker.ts';
import { git, temporaryFolder } from '../../../test/harness/worker.ts';
import { createClient } from '../../client/index.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { thisOwner } from '../../kernel/processes/owner.ts';
import { createLocalSandboxes } from '../../providers/sandboxes/local/index.ts';
import { gitFiles } from '../run/git/inside.ts';
import { createNotes, nameOf } from './notes.ts';
import type { Note } from './notes.ts';
import { createOutbox } from './outbox.ts';
import { createReaper } from './reaper.ts';

const who = process.geteuid?.() === 0 ? 'root' : 'an ordinary user';
const limits = { memoryBytes: 256 * 2 ** 20, processCount: 32, cpuCount: 1, tmpBytes: 2 ** 20, workspaceBytes: 64 * 2 ** 20 };
const never = new AbortController().signal;
const server = 'http://127.0.0.1:9';
const day = 86_400_000;

let home: ReturnType<typeof sandboxFolder>;
let folder: string;
let doomed: SandboxWorker;
beforeEach(async () => {
  home = sandboxFolder(who);
  folder = temporaryFolder();
  doomed = await startSandboxWorker({ who, folder: home.folder });
});
afterEach(async () => {
  await doomed.kill();
  home.remove();
});

function parts() {
  const [clock, log] = [systemClock, silentLog];
  const notes = createNotes(join(folder, 'notes'));
  const outbox = createOutbox({ folder: join(folder, 'rescued'), client: createClient({ server, clock }), clock, log });
  const sandboxes = createLocalSandboxes({ folder: home.folder, clock, log });
  return { notes, outbox, reaper: createReaper({ sandboxes, notes, outbox, clock, log }) };
}

/** A run of the worker that is about to die: its note, and a sandbox in whose workspace `script` was done. */
async function leave(script: string, more: Partial<NonNullable<Note['work']>> | undefined = {}): Promise<Note> {
  const note: Note = { runId: randomUUID(), fence: 7, server, work: more === undefined ? undefined : { ...work, ...more } };
  const sandbox = await doomed.provider.create({
    id: nameOf(note),
    limits,
    files: gitFiles,
    folders: [],
    keeps: script.includes('/kept'),
  });
  let text = '';
  const onOutput = (_stream: string, chunk: Buffer): void => void (text += chunk.toString());
  const env = { GIT_CONFIG_GLOBAL: '/skep/gitconfig' };
  const exit = await sandbox.exec({ argv: ['sh', '-ec', script], env, timeoutMs: 20_000, outputBytesMax: 65_536, onOutput });
  if (exit.reason !== 'exited' || exit.code !== 0) throw new Error(text);
  const base = text.trim();
  const kept = note.work === undefined ? note : { ...note, work: { ...note.work, base } };
  parts().notes.write(kept);
  const path = join(folder, 'notes', `${nameOf(note)}~${thisOwner()}.json`);
  renameSync(path, path.replace(/~\d+[.]\d+/, '~1.1'));
  return kept;
}

const work = { branch: 'skep/TKT-001', base: '', message: 'Rescued: t', bundleBytesMax: 2 ** 20, limits };
const checkedOut = `
git init --quiet --template=/skep/git-template --initial-branch=skep/TKT-001
echo one > one && git add one && git commit --quiet --message=first && git rev-parse HEAD`;
const broken = 'mkdir .git && touch .git/index';
const folders = () => readdirSync(home.folder).filter(name => name.includes('~'));
const inOutbox = () => readdirSync(join(folder, 'rescued')).sort();

it('keeps what was not committed too, also where git was killed at its work, and removes the workspace', async () => {
  const note = await leave(`${checkedOut}
    echo two > two && git add two && git commit --quiet --message=second
    echo three > three && echo more >> one
    touch .git/index.lock .git/refs/heads/skep/TKT-001.lock`);
  await doomed.kill();
  await parts().reaper.reap(never);
  expect(folders()).toEqual([]);
  expect(inOutbox()).toEqual([`${nameOf(note)}.bundle`, `${nameOf(note)}.json`]);
  expect(readdirSync(join(folder, 'notes'))).toEqual([]);
  const bundle = join(folder, 'rescued', `${nameOf(note)}.bundle`);
  expect(git(folder, 'bundle', 'list-heads', bundle)).toMatch(/^[0-9a-f]{40} refs\/heads\/skep\/TKT-001$/);
});

it('keeps nothing where nothing was done: not checked out, no change, or no work of an agent', async () => {
  const left = [
    await leave('git init --quiet && echo half > half && touch .git/index.lock'),
    await leave(checkedOut),
    await leave(checkedOut, undefined),
  ];
  await doomed.kill();
  await parts().reaper.reap(never);
  expect(folders()).toEqual([]);
  expect(inOutbox()).toEqual(left.map(note => `${nameOf(note)}.json`).sort());
});

it('leaves a workspace that it cannot rescue, with its note, until that is a week old', async () => {
  const note = await leave(broken);
  const large = await leave(`${checkedOut}; head -c 100000 /dev/urandom > noise`, { bundleBytesMax: 1_000 });
  await doomed.kill();
  const before = folders().sort();
  const { reaper } = parts();
  await reaper.reap(never);
  await reaper.reap(never);
  expect(folders().sort()).toEqual(before);
  expect(inOutbox()).toEqual([]);
  expect(readdirSync(join(folder, 'notes'))).toHaveLength(2);

  // Too old: that of which the week is over goes, and the run is told of.
  const [name = ''] = before.filter(each => each.startsWith(nameOf(note)));
  utimesSync(join(home.folder, name, 'seccomp'), new Date(Date.now() - 8 * day), new Date(Date.now() - 8 * day));
  await reaper.reap(never);
  expect(folders()).toEqual(before.filter(each => each.startsWith(nameOf(large))));
  expect(inOutbox()).toEqual([`${nameOf(note)}.json`]);
});

it('keeps the newest twenty of those that it cannot rescue', async () => {
  const notes: Note[] = [];
  for (let i = 0; i < 22; i += 1) notes.push(await leave(broken));
  await doomed.kill();
  await parts().reaper.reap(never);
  expect(folders()).toHaveLength(20);
  expect(inOutbox()).toEqual(
    notes
      .slice(0, 2)
      .map(note => `${nameOf(note)}.json`)
      .sort(),
  );
}, 60_000);

it('keeps the conversation of the agent beside its work', async () => {
  const note = await leave(`${checkedOut}; echo two > two; echo said > /kept/session.jsonl`);
  await doomed.kill();
  await parts().reaper.reap(never);
  expect(inOutbox()).toEqual(['bundle', 'conversation', 'json'].map(kind => `${nameOf(note)}.${kind}`));
  const packed = join(folder, 'rescued', `${nameOf(note)}.conversation`);
  expect(execFileSync('tar', ['--list', '--gzip', '--file', packed], { encoding: 'utf8' })).toContain('session.jsonl');
});

it('rescues also while a worker of another home clears the user ids of the dead', async () => {
  const other = sandboxFolder(who);
  const sandboxes = createLocalSandboxes({ folder: other.folder, clock: systemClock, log: silentLog });
  for (let i = 0; i < 5; i += 1) await leave(`${checkedOut}; echo two > two`);
  await doomed.kill();
  let isOver = false;
  const clearing = (async () => {
    while (!isOver) {
      await sandboxes.reapOrphans();
      // Where there is nothing to clear it waits for nothing, and nobody else would have a turn.
      await systemClock.sleep(5);
    }
  })();
  await parts().reaper.reap(never);
  isOver = true;
  await clearing;
  other.remove();
  expect(folders()).toEqual([]);
  expect(inOutbox().filter(name => name.endsWith('.bundle'))).toHaveLength(5);
}, 20_000);

it.each(['rm -rf .git', 'rm -rf .git && git init --quiet'])(
  'leaves a workspace whose repository the agent has broken: %s',
  async breaking => {
    await leave(`${checkedOut}; echo two > two; ${breaking}`);
    await doomed.kill();
    const before = folders();
    await parts().reaper.reap(never);
    expect(folders()).toEqual(before);
  },
);

it('rescues what a worker has left that dies while the notes are read', async () => {
  const note = await leave(`${checkedOut}; echo two > two`);
  await doomed.kill();
  const { notes, outbox } = parts();
  const [clock, log] = [systemClock, silentLog];
  const sandboxes = createLocalSandboxes({ folder: home.folder, clock, log });
  let looks = 0;
  const late = { ...notes, left: () => (looks++ === 0 ? [] : notes.left()) };
  await createReaper({ sandboxes, notes: late, outbox, clock, log }).reap(never);
  expect(folders()).toEqual([]);
  expect(inOutbox()).toEqual([`${nameOf(note)}.bundle`, `${nameOf(note)}.json`]);
});

it('does not wait for ever for a repository that answers nothing, nor at once again', async () => {
  await leave(`${checkedOut}; echo two > two; rm .git/index; mkfifo .git/index`);
  await doomed.kill();
  const [clock, log] = [{ ...systemClock, sleep: hurried }, silentLog];
  const { notes, outbox } = parts();
  const sandboxes = createLocalSandboxes({ folder: home.folder, clock: systemClock, log });
  const { reap } = createReaper({ sandboxes, notes, outbox, clock, log });
  const before = folders();
  await reap(never);
  await reap(never);
  expect([folders(), asleep.filter(ms => ms === 60_000)]).toEqual([before, [60_000]]);
}, 15_000);

/** How long somebody wanted to sleep. */
const asleep: number[] = [];
function hurried(ms: number, signal?: AbortSignal): Promise<void> {
  asleep.push(ms);
  return systemClock.sleep(ms === 60_000 ? 500 : ms, signal);
}

it('gives up at once when it is told to stop, and leaves all to the next', async () => {
  await leave(`${checkedOut}; echo two > two`);
  await doomed.kill();
  const before = folders();
  await parts().reaper.reap(AbortSignal.abort(new Error('stopped')));
  expect(folders()).toEqual(before);
  expect(existsSync(join(folder, 'notes')) && readdirSync(join(folder, 'notes'))).toHaveLength(1);
  await parts().reaper.reap(never);
  expect(folders()).toEqual([]);
});
