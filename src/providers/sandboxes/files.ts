import { Fault } from '../../kernel/fault.ts';
import type { FileEntry, Sandbox, SandboxCommand, SandboxFiles } from '../../worker/sandbox.ts';

type Exec = Pick<Sandbox, 'exec'>['exec'];

/** Of one look at a file. What waits longer waits for ever: the other end of a pipe is in the agent's hands. */
const filesMsMax = 30_000;
const entriesMax = 10_000;
const listBytesMax = 4 * 2 ** 20;
const pathBytesMax = 4_096;
const wordsBytesMax = 2_000;

/**
 * The files of any sandbox, by programs that run in it: a link or a name that is meant to lead elsewhere leads to what the sandbox sees,
 * and the host opens nothing that an agent has written. Needs the core utilities inside.
 */
export function createFiles(exec: Exec): SandboxFiles {
  return {
    async read(path, { bytesMax }) {
      // Neither through a link at its end nor waiting at a pipe.
      const count = [`if=${insidePath(path)}`, 'iflag=nofollow,nonblock,fullblock,count_bytes', `count=${bytesMax + 1}`];
      // shell: a fixed text that runs inside; path and count are its arguments.
      const argv = ['sh', '-c', READ, 'read', insidePath(path), ...count, 'bs=65536', 'status=none'] as const;
      const content = await taken(exec, { argv, path, bytesMax: bytesMax + 1 });
      if (content.length > bytesMax) throw tooLarge(path, bytesMax);
      return content;
    },
    async write(path, content) {
      // shell: a fixed text that runs inside; the path is its argument.
      const argv = ['sh', '-c', WRITE, 'write', insidePath(path)] as const;
      await taken(exec, { argv, path, bytesMax: wordsBytesMax, stdin: content });
    },
    async list(path) {
      const argv = ['find', insidePath(path), '-mindepth', '1', '-maxdepth', '1', '-printf', String.raw`%y %s %f\0`] as const;
      return entriesOf(await taken(exec, { argv, path, bytesMax: listBytesMax }));
    },
    async export({ bytesMax, onChunk }) {
      const argv = ['tar', '--create', '--one-file-system', '--sparse', '--file=-', '.'] as const;
      await streamed(exec, { argv, path: '.', bytesMax }, onChunk);
    },
  };
}

const READ = '[ -L "$1" ] || [ ! -e "$1" ] || [ -f "$1" ] || { echo "not a plain file" >&2; exit 1; }; shift; exec dd "$@"';

/** Under another name first: who reads meanwhile sees the old or the new; a link of this name is replaced and not followed. */
const WRITE = `set -e
folder=$(dirname -- "$1")
mkdir -p -- "$folder"
draft=$(mktemp -p "$folder")
trap 'rm -f -- "$draft"' EXIT
cat > "$draft"
chmod 644 -- "$draft"
mv -T -- "$draft" "$1"`;

interface Look extends Pick<SandboxCommand, 'argv' | 'stdin'> {
  readonly path: string;
  readonly bytesMax: number;
}

async function taken(exec: Exec, look: Look): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await streamed(exec, look, chunk => void chunks.push(chunk));
  return Buffer.concat(chunks);
}

async function streamed(exec: Exec, { argv, path, bytesMax, stdin }: Look, onChunk: (chunk: Buffer) => void): Promise<void> {
  let words = '';
  const exit = await exec({
    ...{ argv, timeoutMs: filesMsMax, outputBytesMax: bytesMax + wordsBytesMax },
    ...(stdin === undefined ? {} : { stdin }),
    env: { LC_ALL: 'C.UTF-8' },
    onOutput(stream, chunk) {
      if (stream === 'stdout') onChunk(chunk);
      else words = `${words}${chunk.toString('utf8')}`.slice(0, wordsBytesMax);
    },
  });
  if (exit.reason === 'exited' && exit.code === 0) return;
  if (exit.reason === 'output_limit') throw tooLarge(path, bytesMax);
  if (exit.reason === 'timeout') throw refused(path, `it took longer than ${filesMsMax / 1_000} s`);
  if (/No such file or directory/.test(words))
    throw new Fault('file_not_found', { message: `There is no ${path} in the workspace` });
  throw refused(path, words.trim() || exit.reason);
}

function entriesOf(printed: Buffer): FileEntry[] {
  const decoder = new TextDecoder('utf8', { fatal: true });
  const lines: string[] = [];
  for (let from = 0, to = printed.indexOf(0); to >= 0; from = to + 1, to = printed.indexOf(0, from)) {
    try {
      lines.push(decoder.decode(printed.subarray(from, to)));
    } catch {
      // A name that is no text cannot be said, and so not asked for either.
    }
  }
  return lines.slice(0, entriesMax).flatMap(line => {
    const [, kind = '', bytes = '0', name = ''] = /^(.) (\d+) ([^]*)$/.exec(line) ?? [];
    return name === '' ? [] : [{ name, type: typesOf[kind] ?? 'other', bytes: Number(bytes) }];
  });
}

const typesOf: Readonly<Record<string, FileEntry['type']>> = { f: 'file', d: 'folder', l: 'link' };

/** Relative to the workspace, where every command begins; never a word that a program would take for an option. */
function insidePath(path: string): string {
  const isPlain = path !== '' && !path.startsWith('/') && !path.includes('\0') && !path.split('/').includes('..');
  if (isPlain && Buffer.byteLength(path) <= pathBytesMax) return `./${path}`;
  throw new Fault('invalid_request', {
    message: `"${path.slice(0, 200)}" is no path in the workspace`,
    hint: 'give it relative to the workspace, without "..", and at most 4,096 bytes of it',
  });
}

function tooLarge(path: string, bytesMax: number): Fault {
  return new Fault('too_large', { message: `${path} has more than ${bytesMax} bytes` });
}

function refused(path: string, why: string): Fault {
  return new Fault('invalid_request', { message: `${path} can't be read or written: ${why.slice(0, 500)}` });
}
