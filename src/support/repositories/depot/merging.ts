import { Fault } from '../../../kernel/fault.ts';
import type { Bare } from './bare.ts';
import { objectId, records } from './bare.ts';
import type { CommitContent, Merge, Merging } from './types.ts';

const conflictFilesMax = 1_000;
const skep = { name: 'Skep', email: 'skep@localhost' };

export function mergingIn(bare: Bare): Merging {
  return {
    merge: ({ ours, theirs }) => merge(bare, ours, theirs),
    commit: content => commit(bare, content),
    async rootCommit() {
      const tree = await bare.text(['mktree'], { input: '' });
      return commit(bare, { tree, parents: [], message: 'Begin', at: new Date(0) });
    },
  };
}

async function merge(bare: Bare, ours: string, theirs: string): Promise<Merge> {
  const how = ['--write-tree', '-z', '--name-only', '--no-messages', '--allow-unrelated-histories'];
  const { exitCode, stdout, words } = await bare.run(['merge-tree', ...how, objectId(ours), objectId(theirs)], {
    accepts: [0, 1],
  });
  const [tree = '', ...files] = records(stdout);
  // It ends with 1 for a conflict, and also for a commit that is not there.
  if (tree === '') throw new Fault('repository_unavailable', { message: `git merge-tree failed: ${words}` });
  if (exitCode === 0) return { kind: 'clean', tree: objectId(tree) };
  return { kind: 'conflict', files: [...new Set(files)].sort().slice(0, conflictFilesMax) };
}

async function commit(bare: Bare, { tree, parents, message, at, author = skep }: CommitContent): Promise<string> {
  const args = ['commit-tree', objectId(tree), ...parents.flatMap(parent => ['-p', objectId(parent)]), '-F', '-'];
  const date = `@${Math.floor(at.getTime() / 1_000)} +0000`;
  return bare.text(args, {
    input: `${message.replaceAll('\0', '').trimEnd()}\n`,
    env: {
      GIT_AUTHOR_NAME: plain(author.name) || skep.name,
      GIT_AUTHOR_EMAIL: plain(author.email) || skep.email,
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: skep.name,
      GIT_COMMITTER_EMAIL: skep.email,
      GIT_COMMITTER_DATE: date,
    },
  });
}

/** What a line of a commit can hold. */
function plain(name: string): string {
  return name.replace(/[\u0000-\u001f\u007f<>]/g, '').trim();
}
