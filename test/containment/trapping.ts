import { closeSync, fstatSync, mkdtempSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openNameless } from '../../src/worker/run/files.ts';
import type { NamelessFile } from '../../src/worker/run/files.ts';
import { collect } from '../../src/worker/run/git/collect.ts';
import { gitInside, templatePath } from '../../src/worker/run/git/inside.ts';
import { packConversation } from '../../src/worker/run/saving/conversation.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { MiB } from './hostile.ts';

/** $1: a folder of the host; $2: a file of the host. */
export const traps: Readonly<Record<string, string>> = {
  '.git is a link to a folder of the host': 'rm -rf .git; ln -s "$1" .git',
  '.git is a file that names a folder of the host': 'rm -rf .git; echo "gitdir: $1" > .git',
  '.git is a named pipe': 'rm -rf .git; mkfifo .git',
  '.git is gone': 'rm -rf .git',
  'the index is a link to a file of the host': 'rm .git/index; ln -s "$2" .git/index',
  'the lock of the index is there': 'ln -s "$2" .git/index.lock',
  'the branch is a link to a file of the host': 'rm .git/refs/heads/main; ln -s "$2" .git/refs/heads/main',
  'the objects are a link to a folder of the host': 'rm -rf .git/objects; ln -s "$1" .git/objects',
  'the objects are borrowed from a folder of the host': 'mkdir -p .git/objects/info; echo "$1" > .git/objects/info/alternates',
  'the head names a file of the host': 'rm .git/HEAD; ln -s "$2" .git/HEAD',
  'the work tree is a folder of the host': 'git config core.worktree "$1"',
  'settings are included from a file of the host': 'git config include.path "$2"; git config core.attributesFile "$2"',
  'the work is larger than a bundle may be': 'head -c 3000000 /dev/urandom > big',
};

/** What is at the place where the conversation of an agent is kept. */
export const conversations: Readonly<Record<string, string>> = {
  'the conversation holds a link to a file of the host': 'echo word > kept; ln -s "$2" secret; ln -s "$1" folder',
  'the conversation is a named pipe': 'mkfifo pipe',
};

interface Trap {
  readonly script: string;
  readonly args: readonly [folder: string, file: string];
}

const begin = `git init --quiet --template=${templatePath} --initial-branch=main && echo one > one && git add one && git commit --quiet --message=one && git rev-parse HEAD`;

/** The workspace begins anew, the agent lays its trap, and the platform collects the work. Resolves with the bytes that came out. */
export async function collected(sandbox: Sandbox, { script, args }: Trap): Promise<Buffer> {
  const signal = new AbortController().signal;
  await gitInside(sandbox, 'find . -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf {} +', { args: [], signal });
  const { stdout, ok, words } = await gitInside(sandbox, begin, { args: [], signal });
  if (!ok) throw new Error(words);
  const laid = await gitInside(sandbox, `echo two > two\n${script}`, { args, signal });
  if (!laid.ok) throw new Error(`the trap could not be laid: ${laid.words}`);
  const work = {
    sandbox,
    branch: 'main',
    base: stdout.trim(),
    conflict: undefined,
    message: 'work',
    bundleBytesMax: MiB,
    signal,
  };
  return takenBy(async bundle => void (await collect({ ...work, bundle })));
}

/** The same of a conversation. */
export async function packed(sandbox: Sandbox, { script, args }: Trap): Promise<Buffer> {
  const signal = new AbortController().signal;
  const laid = await gitInside(sandbox, `cd /kept; find . -mindepth 1 -delete\n${script}`, { args, signal });
  if (!laid.ok) throw new Error(`the trap could not be laid: ${laid.words}`);
  return takenBy(file => packConversation(sandbox, file, signal));
}

async function takenBy(take: (file: NamelessFile) => Promise<void>): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'skep-taken-'));
  const file = openNameless(folder);
  try {
    await take(file);
    const bytes = Buffer.alloc(fstatSync(file.descriptor).size);
    readSync(file.descriptor, bytes, 0, bytes.length, 0);
    return bytes;
  } finally {
    closeSync(file.descriptor);
    rmSync(folder, { recursive: true });
  }
}
