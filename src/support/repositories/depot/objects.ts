import type { Bare } from './bare.ts';
import { objectId, records } from './bare.ts';
import type { FileList, ListedFile, Objects } from './types.ts';

const fileBytesMax = 262_144;
const allFilesBytesMax = 32 * 1_048_576;
const listBytesMax = 64 * 1_048_576;
const notesFilesMax = 200_000;
const pathsPerCall = 200;
const pathLengthMax = 4_096;

export function objectsOf(bare: Bare): Objects {
  return {
    async has(...commits) {
      const asked = commits.map(commit => `${objectId(commit)}^{commit}\n`).join('');
      const told = await bare.text(['cat-file', '--batch-check=%(objecttype)'], { input: asked });
      return told.split('\n').every(type => type === 'commit');
    },
    treeOf: commit => bare.text(['rev-parse', '--verify', '--end-of-options', `${objectId(commit)}^{tree}`]),
    timeOf: async commit => {
      const told = Number(await bare.text(['log', '-1', '--format=%ct', '--end-of-options', objectId(commit)]));
      return new Date((told >= 0 && told <= latestS ? told : 0) * 1_000);
    },
    listFiles: (commit, { max }) => listFiles(bare, commit, max),
    readFiles: (commit, paths) => readFiles(bare, commit, paths),
    notes: commit => notesOf(bare, commit),
  };
}

/** The year 2100. A commit of an agent can bear any number, and the next one must be able to bear it too. */
const latestS = 4_102_444_800;

async function listFiles(bare: Bare, commit: string, max: number): Promise<FileList> {
  const args = ['ls-tree', '-r', '-z', '-l', '--full-tree', objectId(commit)];
  const { stdout, isCut } = await bare.run(args, { outputBytesMax: listBytesMax, cuts: true });
  const found = entriesOf(stdout);
  return {
    files: found.slice(0, max).map(({ path, mode, size }) => ({ path, mode, size })),
    isComplete: !isCut && found.length <= max,
  };
}

interface Entry extends ListedFile {
  readonly id: string;
}

/** Lines such as `100644 blob <id>     12\tpath`; a submodule has `-` for its size. */
function entriesOf(output: Buffer): Entry[] {
  return records(output).map(record => {
    const [, mode = '', id = '', size = '', path = ''] = /^(\d+) \w+ ([0-9a-f]+) +(\d+|-)\t([^]*)$/.exec(record) ?? [];
    return { mode, id, size: size === '-' ? 0 : Number(size), path };
  });
}

async function readFiles(bare: Bare, commit: string, paths: readonly string[]): Promise<Map<string, string>> {
  const wanted = new Set(paths.filter(isPath));
  const entries = await entriesAt(bare, commit, [...wanted]);
  const regular = entries.filter(({ path, mode, size }) => wanted.has(path) && mode.startsWith('100') && size <= fileBytesMax);
  let bytes = 0;
  const fitting = regular.filter(({ size }) => (bytes += size) <= allFilesBytesMax);
  const contents = await contentsOf(bare, new Set(fitting.map(({ id }) => id)));
  return new Map(fitting.map(({ path, id }) => [path, contents.get(id) ?? '']));
}

/** Git refuses the whole question for a path that leads out. */
function isPath(path: string): boolean {
  const isPlain = path.length <= pathLengthMax && !path.includes('\0');
  return isPlain && path.split('/').every(part => part !== '' && part !== '.' && part !== '..');
}

async function entriesAt(bare: Bare, commit: string, paths: readonly string[]): Promise<Entry[]> {
  const found: Entry[] = [];
  for (let i = 0; i < paths.length; i += pathsPerCall) {
    const args = ['ls-tree', '-z', '-l', '--full-tree', objectId(commit), '--', ...paths.slice(i, i + pathsPerCall)];
    const { stdout } = await bare.run(args, { env: { GIT_LITERAL_PATHSPECS: '1' } });
    found.push(...entriesOf(stdout));
  }
  return found;
}

async function contentsOf(bare: Bare, ids: ReadonlySet<string>): Promise<Map<string, string>> {
  const contents = new Map<string, string>();
  if (ids.size === 0) return contents;
  const input = `${[...ids].join('\n')}\n`;
  const { stdout } = await bare.run(['cat-file', '--batch'], { input, outputBytesMax: 2 * allFilesBytesMax });
  for (let at = 0; at < stdout.length; ) {
    const lineEnd = stdout.indexOf(0x0a, at);
    const [id = '', type, size] = stdout.subarray(at, lineEnd).toString('utf8').split(' ');
    if (type !== 'blob') throw new Error(`the depot has lost the object ${id}`);
    const end = lineEnd + 1 + Number(size);
    contents.set(id, stdout.subarray(lineEnd + 1, end).toString('utf8'));
    at = end + 1;
  }
  return contents;
}

async function notesOf(bare: Bare, commit: string): Promise<string[]> {
  const { files } = await listFiles(bare, commit, notesFilesMax);
  const submodules = files.filter(({ mode }) => mode === '160000').map(({ path }) => path);
  const attributes = await readFiles(
    bare,
    commit,
    files.map(({ path }) => path).filter(path => /(^|\/)[.]gitattributes$/.test(path)),
  );
  const hasLfs = [...attributes.values()].some(text => /^[^#\n]*\sfilter=lfs(\s|$)/m.test(text));
  return [
    ...(submodules.length === 0 ? [] : [`There are submodules, which stay empty in the sandboxes: ${someOf(submodules)}`]),
    ...(hasLfs ? ['Some files are kept by Git LFS: the sandboxes see their pointers and not their content'] : []),
  ];
}

function someOf(paths: readonly string[]): string {
  const shown = paths.slice(0, 5).join(', ');
  return paths.length > 5 ? `${shown} and ${paths.length - 5} more` : shown;
}
