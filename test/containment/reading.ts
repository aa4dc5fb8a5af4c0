import { Fault } from '../../src/kernel/fault.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { MiB, run } from './hostile.ts';

type Attempt = (sandbox: Sandbox) => Promise<string>;

const bytesMax = 65_536;
const odd = ['new\nline', '\u001b[2J\u001b]0;title\u0007', 'gnp.\u202eexe', '-rf', '--files0-from=x', '$(id)', '*'];
const long = Array.from({ length: 18 }, () => 'd'.repeat(200)).join('/');

/** `inside` where it is what plants.py has written, `of the sandbox` where it is something else of it. */
function reading(path: string): Attempt {
  return async ({ files }) => {
    const content = (await files.read(path, { bytesMax })).toString();
    return content === 'inside' ? 'inside' : 'of the sandbox';
  };
}

/** Written where `path` is; `not followed` where it is there as a plain file and nowhere else. */
function writing(path: string): Attempt {
  return async sandbox => {
    await sandbox.files.write(path, 'written');
    const { exit } = await run(sandbox, ['sh', '-c', '[ -f "$1" ] && [ ! -L "$1" ]', 'sh', path]);
    const isPlain = exit.reason === 'exited' && exit.code === 0;
    return isPlain && (await sandbox.files.read(path, { bytesMax })).toString() === 'written' ? 'not followed' : 'followed';
  };
}

async function exported(sandbox: Sandbox, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  await sandbox.files.export({ bytesMax, onChunk: chunk => void chunks.push(chunk) });
  return Buffer.concat(chunks);
}

/** In this order: what writes comes last. */
export const readings: Readonly<Record<string, Attempt>> = {
  'read a link to a file of the host': reading('leaf'),
  'read a link to a file inside': reading('own-leaf'),
  'read below a link to a folder of the host': reading('above/file'),
  'read a link to itself': reading('loop/file'),
  'read by ".."': reading('folder/../plain'),
  'read by an absolute path': reading('/etc/passwd'),
  'read a path that holds NUL': reading('plain\0x'),
  'read a path of 5,000 bytes': reading('x/'.repeat(2_500)),
  'read a named pipe': reading('pipe'),
  'read a socket': reading('socket'),
  'read a folder': reading('folder'),
  'read a device below a link': reading('devices/zero'),
  'read a file that none may read': reading('closed'),
  'read what a descriptor of the reader is open on': reading('descriptors/0'),
  'read the environment of the reader': reading('process/environ'),
  'read a file of 100 GiB without content': reading('sparse'),
  'read a file with a second name': reading('hard'),
  'read below a path of 3,600 bytes': reading(`${long}/file`),
  async 'read names that are commands, options and terminal codes'(sandbox) {
    const said: string[] = [];
    for (const name of odd) said.push(await reading(name)(sandbox));
    return [...new Set(said)].join(', ');
  },
  async 'list names that are commands, options and terminal codes'({ files }) {
    const names = (await files.list('.')).map(({ name }) => name);
    return odd.every(name => names.includes(name)) && !names.some(name => name.includes('\ufffd'))
      ? 'as they are'
      : names.join(', ');
  },
  async 'list a folder of 12,000 files'({ files }) {
    return (await files.list('many')).length <= 10_000 ? 'too_large' : 'all of it';
  },
  async 'take out a workspace with a file that none may read'(sandbox) {
    return `${(await exported(sandbox, 32 * MiB)).length} bytes`;
  },
  async 'take out a workspace larger than is wanted'(sandbox) {
    return `${(await exported(sandbox, 65_536)).length} bytes`;
  },
  async 'take out links to files of the host'(sandbox) {
    // One that may not be read stops it all.
    await run(sandbox, ['rm', '-f', 'closed']);
    const archive = await exported(sandbox, 32 * MiB);
    // The link itself is there, by its name and where it points to; what it points to is the canaries' affair.
    return archive.includes('leaf') ? 'not followed' : 'missing';
  },
  'write below a link to a folder of the host': writing('above/file'),
  'write where a folder is': writing('folder'),
  'write where a named pipe is': writing('pipe'),
  'write where a link to a file of the host is': writing('leaf'),
};

/** The fault's code where it is refused. */
export async function answerOf(attempt: Promise<string>): Promise<string> {
  try {
    return await attempt;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const failure = error.facts['class'];
    return typeof failure === 'string' ? failure : error.code;
  }
}
