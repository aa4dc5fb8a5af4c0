import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { isFault } from '../../kernel/fault.ts';
import { collect } from '../run/git/collect.ts';
import { gitInside } from '../run/git/inside.ts';
import type { NamelessFile } from '../run/files.ts';
import { packConversation } from '../run/saving/conversation.ts';
import type { Sandbox } from '../sandbox.ts';
import type { Work } from './notes.ts';
import type { Files } from './outbox.ts';

/**
 * Keeps what a run has left in its sandbox: its work, and the conversation of its agent. False where there is neither. Throws where the
 * work could not be kept.
 */
export async function rescue(
  sandbox: Sandbox,
  work: Work,
  { files, signal }: { files: Files; signal: AbortSignal },
): Promise<boolean> {
  const hasWork = await rescueWork(sandbox, work, { path: files.bundle, signal });
  const hasConversation = await rescueConversation(sandbox, { path: files.conversation, signal });
  return hasWork || hasConversation;
}

/**
 * Keeps what is in a workspace as a git bundle at `path`: everything that is not committed becomes a commit, as when a run is handed
 * in. All git runs in the sandbox. False where there is nothing to be kept. Throws where it could not be kept, and then leaves no
 * file.
 */
async function rescueWork(
  sandbox: Sandbox,
  work: Work,
  { path, signal }: { path: string; signal: AbortSignal },
): Promise<boolean> {
  const begun = await gitInside(sandbox, script, { args: [], signal });
  if (begun.exit.reason === 'exited' && begun.exit.code === notCheckedOut) return false;
  try {
    await writeWhole(path, bundle => collect({ sandbox, ...work, conflict: undefined, bundle, signal }));
    return true;
  } catch (error) {
    if (isFault(error) && error.facts['class'] === 'no_changes') return false;
    throw error;
  }
}

/** What git itself never ends with. */
const notCheckedOut = 93;

// The index is written when every file is there, and locked until then: before, what is missing would look as if somebody had deleted
// it. Files with neither are those of an agent that has broken its repository. What git was doing when it was killed left locks.
const script = `
[ -e .git/index ] || [ -e .git/ORIG_HEAD ] || {
  [ ! -e .git/index.lock ] && [ -n "$(find . -mindepth 1 -maxdepth 1 ! -name .git | head -n 1)" ]
} || exit ${notCheckedOut}
find .git -path .git/objects -prune -o -name '*.lock' -type f -exec rm -f -- {} +`;

/** Without it the next attempt begins a new one: whatever stands in the way is none of its business. */
async function rescueConversation(sandbox: Sandbox, { path, signal }: { path: string; signal: AbortSignal }): Promise<boolean> {
  try {
    return await writeWhole(path, async file => {
      await packConversation(sandbox, file, signal);
    }).then(() => true);
  } catch {
    return false;
  }
}

/** The file is whole under its name, or not there. */
async function writeWhole(path: string, write: (file: NamelessFile) => Promise<unknown>): Promise<void> {
  const draft = `${path}.draft`;
  const descriptor = openSync(draft, 'w', 0o600);
  try {
    await write({ descriptor, append: chunk => append(descriptor, chunk), close: () => {} });
    fsyncSync(descriptor);
    renameSync(draft, path);
  } finally {
    closeSync(descriptor);
    rmSync(draft, { force: true });
  }
}

function append(descriptor: number, chunk: Uint8Array): void {
  for (let offset = 0; offset < chunk.length; ) offset += writeSync(descriptor, chunk, offset);
}
