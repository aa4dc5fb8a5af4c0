import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { git, makeRepository, processesWith, temporaryFolder } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { createDepot } from './index.ts';
import type { BareRepository, ReceivedBundle } from './index.ts';

let folder: string;
let depot: BareRepository;
/** Of an agent: on the branch `work` with one commit more than the depot has. */
let work: string;
let base: string;
let head: string;
const ref = 'refs/skep/runs/1';

beforeEach(async () => {
  folder = temporaryFolder();
  depot = await (await createDepot({ folder, clock: systemClock })).open('p');
  work = makeRepository({ 'a.txt': '1\n2\n3\n'.repeat(100) });
  base = git(work, 'rev-parse', 'HEAD');
  git(work, 'push', '--quiet', depot.gitDir, 'HEAD:refs/skep/base');
  git(work, 'checkout', '--quiet', '-b', 'work');
  head = commit({ 'a.txt': '1\n2\n3\n'.repeat(100).concat('4\n'), 'b.txt': 'b\n' });
});

function commit(files: Readonly<Record<string, string>>): string {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(work, name), content);
  git(work, 'add', '--all');
  git(work, 'commit', '--quiet', '--allow-empty', '--message=work');
  return git(work, 'rev-parse', 'HEAD');
}

const raw = (args: readonly string[], input?: string | Buffer): Buffer =>
  execFileSync('git', ['-C', work, ...args], { stdio: ['pipe', 'pipe', 'ignore'], ...(input === undefined ? {} : { input }) });
const bundled = (...args: string[]): Buffer => raw(['bundle', 'create', '--quiet', '-', ...args]);
const receive = (bytes: Buffer, more: Partial<ReceivedBundle> = {}) =>
  depot.transfer.receive({ source: Readable.from([bytes]), branch: 'work', ref, ...more });
const kept = () => [
  readdirSync(join(depot.gitDir, 'objects/pack')),
  readdirSync(depot.gitDir).filter(name => name.startsWith('incoming')),
];

describe('a bundle', () => {
  it('is taken in, whole and thin, once and again', async () => {
    const thin = bundled('work', `^${base}`);
    expect(await receive(thin, { prerequisites: [base] })).toBe(head);
    expect(await receive(thin)).toBe(head);
    expect(await receive(bundled('work'), { ref: 'refs/skep/runs/2' })).toBe(head);
    expect([await depot.refs.read(ref), await depot.refs.read('refs/skep/runs/2')]).toEqual([head, head]);
    expect((await depot.objects.readFiles(head, ['b.txt'])).get('b.txt')).toBe('b\n');
    expect(kept()[1]).toEqual([]);
    git(depot.gitDir, 'fsck', '--strict', '--connectivity-only');
  });

  it('may come a byte at a time', async () => {
    const bytes = [...bundled('work', `^${base}`)].map(byte => Buffer.from([byte]));
    expect(await depot.transfer.receive({ source: Readable.from(bytes), branch: 'work', ref })).toBe(head);
  });

  type Refused = readonly [what: string, reason: RegExp, make: () => Buffer, more?: Partial<ReceivedBundle>];
  const refused: readonly Refused[] = [
    ['is empty', /ends within its header/, () => Buffer.alloc(0)],
    ['is none', /does not begin like one/, () => Buffer.from('PK\u0003\u0004\n\n')],
    ['never ends its header', /header is too long/, () => Buffer.alloc(300_000, 'x')],
    ['ends after its header', /./, () => bundled('work').subarray(0, bundled('work').indexOf('\n\n') + 2)],
    ['is cut', /./, () => bundled('work').subarray(0, -30)],
    ['was changed on its way', /./, () => flipped(bundled('work'))],
    ['has another branch', /the branch work is not in it/, () => bundled('main', `^${base}~0`, 'HEAD')],
    ['has a second branch', /more than the branch work/, () => bundled('work', 'main')],
    ['has HEAD too', /more than the branch work/, () => bundled('work', 'HEAD')],
    ['is asked for a branch that git could take for something else', /is not in it/, () => bundled('work'), { branch: '--all' }],
    [
      'builds on what is not here',
      /builds on the commit [0-9a-f]{40}, which is not here/,
      () => (commit({ c: 'c' }) === head ? Buffer.alloc(0) : bundled('work', `^${head}`)),
    ],
    [
      'builds on another commit than it was given',
      /was not to build on/,
      () => bundled('work', `^${base}`),
      { prerequisites: ['1'.repeat(40)] },
    ],
    ['has a tag for its branch', /no commit/, () => withHead(tagged(), [head, `^${base}`, tagged()])],
    ['has a file for its branch', /no commit/, () => withHead(git(work, 'rev-parse', 'HEAD:b.txt'), [head])],
    ['lacks its own commit', /missing in it/, () => withHead('1'.repeat(40), [head])],
    ['lacks a file', /./, () => pack(head, [head, git(work, 'rev-parse', 'HEAD^{tree}')].join('\n'), [])],
    ['builds on a commit of which the depot has only a part', /./, onPart],
    ['asks for a filter', /not supported/, () => Buffer.from('# v3 git bundle\n@filter=blob:none\n\nPACK')],
    [
      'is of SHA-256',
      /is of sha256/,
      () => Buffer.from(`# v3 git bundle\n@object-format=sha256\n${'1'.repeat(64)} refs/heads/work\n\nPACK`),
    ],
    ['names no commit', /no commit/, () => Buffer.from('# v2 git bundle\n--upload-pack=x refs/heads/work\n\nPACK')],
    ['has a folder named .git', /hasDotgit|\.git/i, () => hostileTree('.git')],
    ['has a folder named ..', /hasDotdot|\.\./i, () => hostileTree('..')],
    ['has submodules that are commands', /gitmodules/i, hostileSubmodule],
  ];

  it.each(refused.map(([what, reason, make, more]) => ({ what, reason, make, more })))(
    'that $what is refused with the reason, and nothing of it stays',
    async ({ reason, make, more = {} }) => {
      const bytes = make();
      const before = kept();
      const receiving = receive(bytes, more);
      await expect(receiving).rejects.toMatchObject({ code: 'invalid_bundle', message: expect.stringMatching(reason) as string });
      expect([kept(), await depot.refs.read(ref)]).toEqual([before, undefined]);
    },
  );

  it('that is refused early is not read to its end', async () => {
    const source = new PassThrough();
    source.write('no bundle\n\n');
    await expect(depot.transfer.receive({ source, branch: 'work', ref })).rejects.toMatchObject({ code: 'invalid_bundle' });
    expect(source.destroyed).toBe(true);
  });

  it('whose stream breaks is refused with what broke it', async () => {
    const source = new PassThrough();
    source.write(bundled('work').subarray(0, -30));
    const receiving = depot.transfer.receive({ source, branch: 'work', ref });
    receiving.catch(() => {});
    await expect.poll(gits).toHaveLength(1);
    source.destroy(new Error('the client is gone'));
    await expect(receiving).rejects.toThrow('the client is gone');
    await expect.poll(gits).toEqual([]);
    expect(kept()).toEqual([[], []]);
  });

  it('can be taken in after the git that took it in was killed', async () => {
    const source = new PassThrough();
    source.write(bundled('work').subarray(0, -30));
    const receiving = depot.transfer.receive({ source, branch: 'work', ref });
    receiving.catch(() => {});
    await expect.poll(gits).toHaveLength(1);
    const [pid = ''] = execFileSync('pgrep', ['-f', `^git --git-dir=${depot.gitDir} index-pack`], { encoding: 'utf8' }).split(
      '\n',
    );
    process.kill(Number(pid), 'SIGKILL');
    await expect(receiving).rejects.toMatchObject({
      code: 'repository_unavailable',
      message: expect.stringContaining('SIGKILL') as string,
    });
    expect(await receive(bundled('work'))).toBe(head);
  });

  it.each([
    ['nothing', () => Buffer.alloc(0)],
    ['a part', (bytes: Buffer) => bytes.subarray(0, -30)],
  ])('of which %s comes is given up when its time is over', async (_, part) => {
    const clock = impatient();
    const hurried = await (await createDepot({ folder, clock })).open('p');
    const source = new PassThrough();
    source.write(part(bundled('work')));
    const receiving = hurried.transfer.receive({ source, branch: 'work', ref });
    receiving.catch(() => {});
    clock.hurry();
    await expect(receiving).rejects.toThrow(/did not end within 600000 ms/);
    await expect.poll(gits).toEqual([]);
  });
});

const gits = () => processesWith(`--git-dir=${depot.gitDir}`);

/** The system's clock, in which long waits are over when it is told. */
function impatient() {
  const waiting: (() => void)[] = [];
  let isHurried = false;
  return {
    ...systemClock,
    hurry() {
      isHurried = true;
      for (const end of waiting.splice(0)) end();
    },
    async sleep(ms: number, signal?: AbortSignal) {
      if (ms < 60_000) return systemClock.sleep(ms, signal);
      if (isHurried && ms === 600_000) return;
      await new Promise<void>(resolve => {
        waiting.push(resolve);
        signal?.addEventListener('abort', () => resolve());
      });
    },
  };
}

function flipped(bytes: Buffer): Buffer {
  const middle = Math.floor((bytes.indexOf('PACK') + bytes.length) / 2);
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 0xff, middle);
  return bytes;
}

/** A bundle with any head, of the objects that these name. */
function withHead(id: string, wanted: readonly string[]): Buffer {
  const objects = raw(['pack-objects', '--stdout', '--revs', '--quiet'], `${wanted.join('\n')}\n`);
  return Buffer.concat([Buffer.from(`# v2 git bundle\n${id} refs/heads/work\n\n`), objects]);
}

/** A bundle of exactly these objects. */
function pack(id: string, objects: string, prerequisites: readonly string[]): Buffer {
  const header = ['# v2 git bundle', ...prerequisites.map(each => `-${each}`), `${id} refs/heads/work`, '', ''].join('\n');
  return Buffer.concat([Buffer.from(header), raw(['pack-objects', '--stdout', '--quiet'], `${objects}\n`)]);
}

/** As after a power cut: the parent is in the depot, and its files are not. */
function onPart(): Buffer {
  const part = commit({ 'part.txt': 'part' });
  const content = raw(['cat-file', 'commit', part]);
  execFileSync('git', ['--git-dir', depot.gitDir, 'hash-object', '-t', 'commit', '-w', '--stdin'], { input: content });
  git(work, 'rm', '--quiet', 'part.txt');
  return withHead(commit({ 'a.txt': 'next', 'b.txt': 'next' }), ['HEAD', `^${part}`]);
}

function tagged(): string {
  git(work, 'tag', '--force', '--annotate', '--message=x', 'tag');
  return git(work, 'rev-parse', 'tag');
}

function hostileTree(name: string): Buffer {
  const blob = git(work, 'rev-parse', 'HEAD:b.txt');
  const inner = raw(['mktree'], `100644 blob ${blob}\tconfig\n`).toString().trim();
  const bytes = Buffer.concat([Buffer.from(`40000 ${name}\0`), Buffer.from(inner, 'hex')]);
  const tree = raw(['hash-object', '-t', 'tree', '-w', '--stdin', '--literally'], bytes).toString().trim();
  const made = git(work, 'commit-tree', '-m', 'x', tree);
  return pack(made, [made, tree, inner, blob].join('\n'), []);
}

function hostileSubmodule(): Buffer {
  commit({ '.gitmodules': '[submodule "x"]\n\tpath = x\n\turl = -u./payload\n' });
  return bundled('work', `^${base}`);
}

describe('a bundle that is made', () => {
  it('can be taken in elsewhere, whole, thin, or empty', async () => {
    await receive(bundled('work'));
    const other = await (await createDepot({ folder: temporaryFolder(), clock: systemClock })).open('q');
    expect(await taken(other, { head: base, not: [] })).toBe(base);
    expect(await taken(other, { head, not: [base] })).toBe(head);
    expect(await taken(other, { head, not: [head] })).toBe(head);
    git(other.gitDir, 'fsck', '--strict');
  });

  it('is one that git itself takes', async () => {
    await receive(bundled('work'));
    const path = join(temporaryFolder(), 'bundle');
    writeFileSync(path, await bytesOf(depot.transfer.bundle({ branch: 'kept', head, not: [base] })));
    const fresh = makeRepository({ x: 'x' });
    git(fresh, 'fetch', '--quiet', depot.gitDir, 'refs/skep/base:base');
    git(fresh, 'bundle', 'verify', '--quiet', path);
    git(fresh, 'fetch', '--quiet', path, 'refs/heads/kept:kept');
    expect(git(fresh, 'rev-parse', 'kept')).toBe(head);
  });

  it('is of SHA-256 where the repository is', async () => {
    const [one, two] = await Promise.all(
      ['a', 'b'].map(async id => (await createDepot({ folder: temporaryFolder(), clock: systemClock })).open(id, 'sha256')),
    );
    if (one === undefined || two === undefined) throw new Error('no depot');
    const root = await one.merging.rootCommit();
    const next = await one.merging.commit({
      tree: await one.objects.treeOf(root),
      parents: [root],
      message: 'n',
      at: new Date(0),
    });
    await two.merging.rootCommit();
    await two.refs.set('refs/skep/root', root);
    const source = one.transfer.bundle({ branch: 'work', head: next, not: [root] });
    expect(await two.transfer.receive({ source, branch: 'work', ref, prerequisites: [root] })).toBe(next);
  });

  it('breaks where it cannot be made, and is no shorter bundle', async () => {
    await expect(bytesOf(depot.transfer.bundle({ branch: 'x', head: '1'.repeat(40), not: [] }))).rejects.toMatchObject({
      code: 'repository_unavailable',
    });
  });

  it('ends its git when nobody wants it any more', async () => {
    const source = depot.transfer.bundle({ branch: 'x', head: base, not: [] });
    source.destroy();
    await expect.poll(gits).toEqual([]);
  });
});

async function bytesOf(source: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function taken(other: BareRepository, what: { head: string; not: string[] }): Promise<string> {
  const source = depot.transfer.bundle({ ...what, branch: 'x' });
  return other.transfer.receive({ source, branch: 'x', ref: 'refs/skep/kept' });
}

describe('many bundles', () => {
  it('make few packs, in which nothing is lost, also where several come at once', async () => {
    const heads: string[] = [];
    for (let i = 0; i < 52; i += 4) {
      const four = Array.from({ length: 4 }, (_, j) => {
        git(work, 'checkout', '--quiet', '-B', 'work', base);
        return {
          head: commit({ [`file${i + j}`]: `${i + j}\n` }),
          bytes: bundled('work', `^${base}`),
          ref: `refs/skep/runs/${i + j}`,
        };
      });
      await Promise.all(four.map(({ bytes, ref: at }) => receive(bytes, { ref: at })));
      heads.push(...four.map(each => each.head));
    }
    expect(kept()[0]?.filter(name => name.endsWith('.pack')).length).toBeLessThan(10);
    expect(await Promise.all(heads.map(each => depot.objects.has(each)))).toEqual(heads.map(() => true));
    git(depot.gitDir, 'fsck', '--strict');
  });
});

describe('several servers', () => {
  it('receive, merge, commit and keep at once in one folder', async () => {
    const servers = await Promise.all([1, 2].map(async () => (await createDepot({ folder, clock: systemClock })).open('p')));
    const bundles = Array.from({ length: 8 }, (_, i) => {
      git(work, 'checkout', '--quiet', '-B', 'work', base);
      return { head: commit({ [`file${i}`]: `${i}\n` }), bytes: bundled('work', `^${base}`), at: servers[i % 2] ?? depot, i };
    });
    const heads = await Promise.all(
      bundles.map(({ bytes, at, i }) =>
        at.transfer.receive({ source: Readable.from([bytes]), branch: 'work', ref: `refs/skep/runs/${i}` }),
      ),
    );
    expect(heads).toEqual(bundles.map(each => each.head));
    const merges = await Promise.all(
      bundles.map(async ({ head: theirs, at, i }) => {
        const merged = await at.merging.merge({ ours: head8(bundles, i), theirs });
        if (merged.kind !== 'clean') throw new Error('conflict');
        const made = await at.merging.commit({
          tree: merged.tree,
          parents: [head8(bundles, i), theirs],
          message: 'm',
          at: new Date(i),
        });
        await at.refs.set(`refs/skep/merges/${i}`, made);
        return (await at.objects.listFiles(made, { max: 10 })).files.length;
      }),
    );
    expect(merges).toEqual(Array.from({ length: 8 }, () => 3));
    git(depot.gitDir, 'fsck', '--strict');
  });
});

function head8(bundles: readonly { readonly head: string }[], i: number): string {
  return bundles[(i + 1) % 8]?.head ?? '';
}
