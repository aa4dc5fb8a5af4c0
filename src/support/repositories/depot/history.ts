import { visible } from '../../../git/index.ts';
import type { Bare } from './bare.ts';
import { objectId, records } from './bare.ts';
import type { Changes, FileChange, History } from './types.ts';

const changedFilesMax = 20_000;

/** Compares trees alone: no program that settings or attributes name, and no look into a submodule. */
const plainDiff = [
  'diff-tree',
  '-r',
  '--find-renames',
  '-l1000',
  '--no-ext-diff',
  '--no-textconv',
  '--no-color',
  '--ignore-submodules=none',
  '--submodule=short',
];

export function historyOf(bare: Bare): History {
  return {
    async isAncestor(ancestor, of) {
      const asked = await bare.run(['merge-base', '--is-ancestor', objectId(ancestor), objectId(of)], { accepts: [0, 1] });
      return asked.exitCode === 0;
    },
    async mergeBase(a, b) {
      const asked = await bare.run(['merge-base', objectId(a), objectId(b)], { accepts: [0, 1] });
      return asked.exitCode === 0 ? asked.stdout.toString('utf8').trim() : undefined;
    },
    async changes(base, head) {
      const args = [...plainDiff, '--raw', '-z', '--no-abbrev', objectId(base), objectId(head)];
      const { stdout, isCut } = await bare.run(args, { cuts: true });
      return changesOf(records(stdout), isCut);
    },
    async diff(base, head, { bytesMax }) {
      const args = [...plainDiff, '--patch', objectId(base), objectId(head)];
      const { stdout, isCut } = await bare.run(args, { outputBytesMax: bytesMax, cuts: true });
      return visible(
        isCut ? `${wholeLines(stdout)}[cut here: the diff is longer than ${bytesMax} bytes]\n` : stdout.toString('utf8'),
      );
    },
    async log(base, head, { graph, max }) {
      const how = ['--oneline', '--no-decorate', '--no-color', '--no-show-signature', `--max-count=${max}`];
      const args = ['log', ...how, ...(graph ? ['--graph'] : []), objectId(head), `^${objectId(base)}`, '--'];
      return visible(await bare.text(args));
    },
  };
}

function wholeLines(output: Buffer): string {
  return output.subarray(0, output.lastIndexOf(0x0a) + 1).toString('utf8');
}

const statuses: Readonly<Record<string, FileChange['status']>> = {
  A: 'added',
  D: 'deleted',
  R: 'renamed',
  M: 'modified',
  T: 'modified',
};

/** `:100644 100755 <id> <id> M`, then the path in a record of its own; of a rename, the old path and the new one. */
function changesOf(output: readonly string[], isCut: boolean): Changes {
  const files: FileChange[] = [];
  let i = 0;
  while (i < output.length && files.length < changedFilesMax) {
    const [, oldMode = '', mode = '', letter = ''] = /^:(\d+) (\d+) [0-9a-f]+ [0-9a-f]+ ([A-Z])/.exec(output[i] ?? '') ?? [];
    const status = statuses[letter];
    if (status === undefined) throw new Error(`a line of diff-tree that is not known: ${output[i] ?? ''}`);
    const [first, second] = [output[i + 1], output[i + 2]];
    const path = status === 'renamed' ? second : first;
    if (path === undefined || first === undefined) break;
    const modes = { oldMode: modeOf(oldMode), mode: modeOf(mode) };
    files.push({ path, status, ...(status === 'renamed' ? { oldPath: first } : {}), ...modes });
    i += status === 'renamed' ? 3 : 2;
  }
  return { files, isComplete: !isCut && i >= output.length };
}

function modeOf(mode: string): string | undefined {
  return mode === '000000' ? undefined : mode;
}
