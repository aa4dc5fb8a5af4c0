import { createHash } from 'node:crypto';
import { deflateSync } from 'node:zlib';

type Kind = 'commit' | 'tree' | 'blob';
const kinds: Readonly<Record<Kind, number>> = { commit: 1, tree: 2, blob: 3 };
const ofsDelta = 6;

interface Thing {
  readonly kind: Kind;
  readonly content: Buffer;
}

/** One object as a pack holds it: its kind, the size that it says, and its bytes. */
function entry(kind: number, size: number, body: readonly Buffer[]): Buffer {
  const head: number[] = [];
  let rest = BigInt(size) >> 4n;
  head.push((kind << 4) | Number(BigInt(size) & 15n) | (rest > 0n ? 0x80 : 0));
  for (; rest > 0n; rest >>= 7n) head.push(Number(rest & 127n) | (rest > 127n ? 0x80 : 0));
  return Buffer.concat([Buffer.from(head), ...body]);
}

function packed({ kind, content }: Thing): Buffer {
  return entry(kinds[kind], content.length, [deflateSync(content)]);
}

function idOf({ kind, content }: Thing): Buffer {
  return createHash('sha1').update(`${kind} ${content.length}\0`).update(content).digest();
}

/** A bundle of the branch `work` with these entries in its pack. `count`: how many it says that there are. */
function bundleOf(head: Buffer, entries: readonly Buffer[], count = entries.length): Buffer {
  const start = Buffer.alloc(12);
  start.write('PACK');
  start.writeUInt32BE(2, 4);
  start.writeUInt32BE(count, 8);
  const pack = Buffer.concat([start, ...entries]);
  const sum = createHash('sha1').update(pack).digest();
  return Buffer.concat([Buffer.from(`# v2 git bundle\n${head.toString('hex')} refs/heads/work\n\n`), pack, sum]);
}

interface Named {
  readonly name: string;
  readonly mode: string;
  readonly thing: Thing;
}

/** A tree in this order, whether git would allow it or not. */
function treeOf(entries: readonly Named[]): Thing {
  const content = entries.map(({ name, mode, thing }) => Buffer.concat([Buffer.from(`${mode} ${name}\0`), idOf(thing)]));
  return { kind: 'tree', content: Buffer.concat(content) };
}

function commitOf(tree: Thing): Thing {
  const who = 'Ann <ann@example.org> 0 +0000';
  return { kind: 'commit', content: Buffer.from(`tree ${idOf(tree).toString('hex')}\nauthor ${who}\ncommitter ${who}\n\nx\n`) };
}

const file: Thing = { kind: 'blob', content: Buffer.from('content\n') };
const link: Thing = { kind: 'blob', content: Buffer.from('/etc') };

/** A commit of one tree with these names. */
function bundleOfTree(entries: readonly Named[], more: readonly Buffer[] = [], count?: number): Buffer {
  const inner = entries.map(({ thing }) => thing);
  const tree = treeOf(entries);
  const things = [...new Set([commitOf(tree), tree, ...inner, ...inner.filter(({ kind }) => kind === 'tree').map(() => file)])];
  const all = [...things.map(packed), ...more];
  return bundleOf(idOf(commitOf(tree)), all, count ?? all.length);
}

const plain: readonly Named[] = [{ name: 'file', mode: '100644', thing: file }];
const folder = treeOf([{ name: 'config', mode: '100644', thing: file }]);

const mebibyte = 2 ** 20;
const copyBytesMax = 0xff_ff_ff;

/** A small object, and one made of it by copying it again and again: the second is as large as it likes. */
function deltaBomb(times: number): Buffer[] {
  const base = packed({ kind: 'blob', content: Buffer.alloc(16 * mebibyte) });
  const delta = Buffer.concat([
    size7(16 * mebibyte),
    size7(times * copyBytesMax),
    ...Array.from({ length: times }, () => Buffer.from([0xf0, 0xff, 0xff, 0xff])),
  ]);
  return [base, entry(ofsDelta, delta.length, [offset(base.length), deflateSync(delta)])];
}

function size7(size: number): Buffer {
  const bytes: number[] = [];
  for (let rest = BigInt(size); ; rest >>= 7n) {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 0x80 : 0));
    if (rest <= 127n) return Buffer.from(bytes);
  }
}

/** How far back the base begins, as a pack says it. */
function offset(back: number): Buffer {
  const bytes = [back & 127];
  for (let rest = back >> 7; rest > 0; rest >>= 7) bytes.unshift(0x80 | (--rest & 127));
  return Buffer.from(bytes);
}

const countMax = 2 ** 32 - 1;

/** By the attempt's name. */
export const bundles: Readonly<Record<string, () => Buffer>> = {
  'a pack that says that it holds 4,294,967,295 objects': () => bundleOfTree(plain, [], countMax),
  'an object that says that it has 1 TiB': () =>
    bundleOfTree(plain, [entry(kinds.blob, 2 ** 40, [deflateSync(Buffer.from('x'))])]),
  'an object of 3 GiB made of 16 KiB by a delta': () => bundleOfTree(plain, deltaBomb(200)),
  // The same, and not too large: it is refused for its size alone.
  'an object of 48 MiB made of 16 KiB by a delta': () => bundleOfTree(plain, deltaBomb(3)),
  'a file named ../outside': () => bundleOfTree([{ name: '../outside', mode: '100644', thing: file }]),
  'a folder named .git': () => bundleOfTree([{ name: '.git', mode: '40000', thing: folder }]),
  'a name twice, as link and as folder': () =>
    bundleOfTree([
      { name: 'name', mode: '120000', thing: link },
      { name: 'name', mode: '40000', thing: folder },
    ]),
  'a .gitmodules that is a link': () => bundleOfTree([{ name: '.gitmodules', mode: '120000', thing: link }]),
  'a header without end': () => Buffer.concat([Buffer.from('# v2 git bundle\n'), Buffer.alloc(8 * mebibyte, '-')]),
  'rubbish behind the pack': () => Buffer.concat([bundleOfTree(plain), Buffer.alloc(4_096, 'x')]),
  'a file of 128 MiB in 128 KiB': () =>
    bundleOfTree([{ name: 'large', mode: '100644', thing: { kind: 'blob', content: Buffer.alloc(128 * mebibyte) } }]),
};
