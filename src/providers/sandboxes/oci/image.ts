import { createHash } from 'node:crypto';
import { lstatSync, readlinkSync } from 'node:fs';

/** An image without a file in it: places to show the host's folders at. */
export interface EmptyImage {
  readonly name: string;
  readonly tar: Buffer;
}

/** Of this machine, whose /bin and /lib may be links. The name tells the content, so that two machines that share a store do not meet. */
export function emptyImage(): EmptyImage {
  const links = BESIDE.flatMap(name => {
    const entry = lstatSync(`/${name}`, { throwIfNoEntry: false });
    return entry?.isSymbolicLink() ? [{ name, link: readlinkSync(`/${name}`) }] : [];
  });
  const folders = hostFolders().map(path => path.slice(1));
  const entries = [...[...PLACES, ...folders].map(name => ({ name, link: undefined })), ...links];
  const tar = Buffer.concat([...entries.map(header), Buffer.alloc(1_024)]);
  const tag = createHash('sha256').update(tar).digest('hex').slice(0, 16);
  return { name: `localhost/skep-empty:${tag}`, tar };
}

/** What of the host is shown read-only, beside single files of /etc. */
export function hostFolders(): readonly string[] {
  return ['usr', ...BESIDE].flatMap(name =>
    lstatSync(`/${name}`, { throwIfNoEntry: false })?.isDirectory() ? [`/${name}`] : [],
  );
}

const BESIDE = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];
const PLACES = ['dev', 'etc', 'etc/ssl', 'home', 'home/agent', 'proc', 'run', 'skep', 'sys', 'tmp', 'var', 'work'];

/** One header of the ustar format: a folder of everybody's, or a link. All fields are the same each time. */
function header({ name, link }: { readonly name: string; readonly link: string | undefined }): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, length: number): void =>
    void block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at, 'latin1');
  block.write(link === undefined ? `${name}/` : name, 0, 'utf8');
  // Where a tmpfs is mounted, runc gives it the mode of the folder below.
  octal(name === 'tmp' || name === 'home/agent' ? 0o1777 : 0o755, 100, 8);
  for (const at of [108, 116]) octal(0, at, 8);
  for (const at of [124, 136]) octal(0, at, 12);
  block.write(link === undefined ? '5' : '2', 156, 'latin1');
  block.write(link ?? '', 157, 'utf8');
  block.write('ustar\u000000', 257, 'latin1');
  block.write(' '.repeat(8), 148, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
