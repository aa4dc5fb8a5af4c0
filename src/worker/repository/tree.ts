import type { HostGit } from '../../git/index.ts';

/** A file as a commit has it. */
export interface TreeFile {
  readonly path: string;
  /** Mode, type and object id: two of the same are the same file. */
  readonly content: string;
}

export interface CommitFiles {
  readonly files: readonly TreeFile[];
  /** There are more than could be listed. */
  readonly isCut: boolean;
}

/** Of a list of all files; some 600,000 of them. */
const listBytesMax = 64 * 2 ** 20;
const listMsMax = 60_000;

/** Every file of a commit, by git on the host in a repository of the host's own: no file of it is opened. */
export async function filesOf(git: HostGit, path: string, at: { commit: string; signal: AbortSignal }): Promise<CommitFiles> {
  const { stdout, isCut } = await git.run([`--git-dir=${path}`, 'ls-tree', '-r', '-z', '--full-tree', at.commit], {
    ...{ signal: at.signal, timeoutMs: listMsMax, outputBytesMax: listBytesMax, cuts: true },
  });
  const lines = stdout.toString('utf8').split('\0').slice(0, -1);
  return { files: lines.map(fileOf), isCut };
}

/** Such as `100644 blob 3f2a…<tab>package.json`. */
function fileOf(line: string): TreeFile {
  const tab = line.indexOf('\t');
  return { path: line.slice(tab + 1), content: line.slice(0, tab) };
}
