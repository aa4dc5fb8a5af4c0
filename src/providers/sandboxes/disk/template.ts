import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDead, thisOwner } from '../../../kernel/processes/owner.ts';
import { run } from '../local/host/tools.ts';

/** Changes with MKFS: a template of an older version is not used any more. */
const VERSION = 1;
const templatesMax = 16;

interface Templates {
  /** A file with an empty file system of this size; made once. Throws what mkfs says. */
  of(bytes: number): Promise<string>;
  /** Removes what dead workers have left half made. */
  reap(): void;
}

/** Empty file systems, sparse: to copy one takes a tenth of the time that it takes to make one. */
export function createTemplates(folder: string, mkfs: string): Templates {
  const making = new Map<number, Promise<string>>();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return {
    of(bytes) {
      const file = join(folder, `${bytes}-${VERSION}.ext4`);
      if (existsSync(file)) return Promise.resolve(file);
      const made = making.get(bytes) ?? make({ folder, mkfs, bytes, file }).finally(() => making.delete(bytes));
      making.set(bytes, made);
      return made;
    },
    reap() {
      const drafts = readdirSync(folder).filter(name => name.startsWith('new~') && isDead(name.split('~')[1] ?? ''));
      for (const draft of drafts) rmSync(join(folder, draft), { force: true });
    },
  };
}

interface Make {
  readonly folder: string;
  readonly mkfs: string;
  readonly bytes: number;
  readonly file: string;
}

/** Under another name first: of two workers that make it at once the second replaces it by its like. */
async function make({ folder, mkfs, bytes, file }: Make): Promise<string> {
  const draft = join(folder, `new~${thisOwner()}~${randomBytes(4).toString('hex')}`);
  try {
    const fd = openSync(draft, 'wx', 0o600);
    try {
      ftruncateSync(fd, bytes);
      await run(mkfs, [...MKFS, ...blocksOf(bytes), '--', draft]);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    const others = readdirSync(folder).filter(name => name.endsWith('.ext4'));
    for (const other of others.slice(templatesMax - 1)) rmSync(join(folder, other), { force: true });
    renameSync(draft, file);
    return file;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** No blocks kept back for root, no room to grow in, an inode for each 8 KiB: what packages of small files take. */
const MKFS = [
  ...['-q', '-F', '-t', 'ext4', '-m', '0', '-i', '8192', '-O', '^resize_inode'],
  ...['-E', 'nodiscard,lazy_itable_init=1,lazy_journal_init=1'],
];

/** A journal takes 1024 blocks at least, which of a small file system must be small ones. */
function blocksOf(bytes: number): string[] {
  if (bytes < 64 * 2 ** 20) return ['-b', '1024', '-J', 'size=1'];
  return ['-b', '4096', '-J', `size=${bytes < 2 ** 30 ? 4 : 16}`];
}
