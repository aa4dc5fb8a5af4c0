import { beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../kernel/clock.ts';
import type { Clock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { runFailure } from '../failure.ts';
import { createDependencies, narrowed } from './index.ts';
import type { Dependencies, Layer, Wish } from './index.ts';
import { dependencyKey } from './key.ts';
import type { Circumstances } from './key.ts';
import type { KeptSnapshot } from '../sandbox.ts';

const removed: string[] = [];
const layer = (id: string, bytes = 1): Layer => ({
  snapshot: { id, remove: () => Promise.resolve(void removed.push(id)) },
  exclude: '',
  bytes,
});

let now = 0;
let clockMs = 0;
const clock: Clock = { ...systemClock, mono: () => now, now: () => clockMs };

function kept(layersMax = 2, layerBytesMax = 100, found?: readonly KeptSnapshot[]): Dependencies {
  removed.splice(0);
  return createDependencies({ timeoutMs: 1, layersMax, layerBytesMax, found, clock, log: silentLog });
}

const never = new AbortController().signal;
const wish = (make: Wish['make'], more: Partial<Wish> = {}): Wish => ({
  ...{ make, beganAt: '', insists: () => false, signal: never, onWait: () => {} },
  ...more,
});
const made = (id: string, bytes?: number): Wish => wish(() => Promise.resolve(layer(id, bytes)));
const missing = wish(() => Promise.reject(new Error('it is not there')));

/** Takes it and gives it back. */
async function use(all: Dependencies, key: string, how: Wish): Promise<string> {
  const taken = await all.take(key, how);
  taken.release();
  taken.release();
  return taken.snapshot.id;
}

describe('what is kept', () => {
  it('is found again, and what was used longest ago goes for what is new', async () => {
    const all = kept();
    expect(await use(all, 'a', made('1'))).toBe('1');
    expect(await use(all, 'b', made('2'))).toBe('2');
    expect(await use(all, 'a', missing)).toBe('1');
    expect(await use(all, 'c', made('3'))).toBe('3');
    expect(removed).toEqual(['2']);
    expect(await use(all, 'a', missing)).toBe('1');
    await expect(use(all, 'b', missing)).rejects.toThrow('it is not there');
  });

  it('is limited in bytes too', async () => {
    const all = kept(10, 100);
    for (const [key, bytes] of [
      ['a', 40],
      ['b', 40],
      ['c', 70],
    ] as const)
      await use(all, key, made(key, bytes));
    expect(removed).toEqual(['a', 'b']);
    expect(await use(all, 'd', made('d', 101))).toBe('d');
    expect(removed).toEqual(['a', 'b', 'c', 'd']);
  });

  it('stays while somebody works with it, and goes when it was given back', async () => {
    const all = kept(1);
    const [one, two] = [await all.take('a', made('1')), await all.take('a', missing)];
    await use(all, 'b', made('2'));
    one.release();
    one.release();
    expect(removed).toEqual([]);
    two.release();
    expect(removed).toEqual(['1']);
  });

  describe('for the next worker', () => {
    const left: string[] = [];
    const texts = new Map<string, string>();
    /** As a provider gives them: what is kept has a text, and is there until it is removed. */
    const keepable = (id: string, bytes = 1, whole?: boolean): Layer => ({
      ...layer(id, bytes),
      snapshot: {
        ...layer(id).snapshot,
        keep: text => Promise.resolve(void texts.set(id, text)),
        leave: () => Promise.resolve(void left.push(id)),
        ...(whole === undefined ? {} : { isWhole: () => Promise.resolve(whole) }),
      },
    });
    const making = (id: string, bytes?: number): Wish => wish(() => Promise.resolve(keepable(id, bytes)));
    const found = (...ids: readonly string[]) =>
      ids.map(id => ({ snapshot: keepable(id, 1, !id.startsWith('broken')).snapshot, text: texts.get(id) ?? 'of another' }));
    beforeEach(() => {
      removed.splice(0);
      left.splice(0);
      texts.clear();
      clockMs = 0;
    });

    it('is kept as it is made, and left at the end in the order in which it was used', async () => {
      const all = kept(3, 100, []);
      for (const id of ['1', '2', '3']) await use(all, `key ${id}`, making(id));
      expect([...texts.keys()]).toEqual(['1', '2', '3']);
      await use(all, 'key 1', missing);
      const held = await all.take('key 2', missing);
      await all.close();
      expect([left, removed]).toEqual([['3', '1'], []]);
      held.release();
      expect(left).toEqual(['3', '1', '2']);
    });

    it('is found again by its key, with what stood beside it', async () => {
      await use(
        kept(3, 100, []),
        'a',
        wish(() => Promise.resolve({ ...keepable('1', 7), exclude: '/x\n' })),
      );
      const taken = await kept(3, 100, found('1')).take('a', missing);
      expect([taken.snapshot.id, taken.exclude, taken.bytes]).toEqual(['1', '/x\n', 7]);
    });

    it('is made anew where it is not whole any more, and removed; those who ask at once wait for the one that makes it', async () => {
      await use(kept(3, 100, []), 'a', making('broken'));
      const all = kept(3, 100, found('broken'));
      expect(await Promise.all([use(all, 'a', making('2')), use(all, 'a', making('3'))])).toEqual(['2', '2']);
      expect(removed).toEqual(['broken']);
    });

    it('is no more than this worker may keep; one that is too old, strange, or there twice goes', async () => {
      const before = kept(9, 1_000, []);
      await use(before, 'old', making('old'));
      clockMs = 8 * 24 * 3_600_000;
      for (const [key, id] of [
        ['a', '1'],
        ['a', '2'],
        ['b', '3'],
        ['c', '4'],
        ['d', '5'],
      ] as const) {
        await use(before, `${key} ${id}`, making(id));
        texts.set(id, (texts.get(id) ?? '').replace(`${key} ${id}`, key));
      }
      const all = kept(3, 100, found('old', 'strange', '1', '2', '3', '4', '5'));
      expect(removed.toSorted()).toEqual(['1', '2', 'old', 'strange']);
      for (const [key, id] of [
        ['b', '3'],
        ['c', '4'],
        ['d', '5'],
      ] as const)
        expect(await use(all, key, missing)).toBe(id);
    });

    it('is gone with the worker where that is not wanted', async () => {
      const all = kept(3, 100);
      await use(all, 'a', making('1'));
      await all.close();
      expect([texts.size, left, removed]).toEqual([0, [], ['1']]);
    });
  });

  it('is removed at the end', async () => {
    const all = kept();
    await use(all, 'a', made('1'));
    const held = await all.take('b', made('2'));
    await all.close();
    held.release();
    expect(removed).toEqual(['1', '2']);
  });
});

describe('while it is made', () => {
  it('others wait for it, and are told that they do', async () => {
    const all = kept();
    let finish = (): void => {};
    let waits = 0;
    const first = use(
      all,
      'a',
      wish(() => new Promise(resolve => (finish = () => resolve(layer('1'))))),
    );
    const second = use(all, 'a', { ...missing, onWait: () => void (waits += 1) });
    finish();
    expect([await first, await second, waits]).toEqual(['1', '1', 1]);
  });

  it('who is called away waits no longer, and who waits takes the place of one that is called away', async () => {
    const all = kept();
    const [leading, waiting] = [new AbortController(), new AbortController()];
    const lead = (): Promise<Layer> =>
      new Promise((_, reject) => leading.signal.addEventListener('abort', () => reject(runFailure('setup', 'cut short'))));
    const first = use(all, 'a', wish(lead, { signal: leading.signal }));
    const second = use(all, 'a', { ...missing, signal: waiting.signal });
    const third = use(all, 'a', made('3'));
    waiting.abort(new Error('called away'));
    await expect(second).rejects.toThrow('called away');
    leading.abort();
    await expect(first).rejects.toThrow('cut short');
    expect(await third).toBe('3');
  });
});

describe('what fails', () => {
  const failing = wish(() => Promise.reject(runFailure('setup', 'no registry')), { beganAt: '2026-01-02' });

  it('of the setup itself is not tried again for 20 s, but for who insists', async () => {
    const all = kept();
    await expect(use(all, 'a', failing)).rejects.toThrow('no registry');
    await expect(use(all, 'a', made('1'))).rejects.toThrow('no registry');
    expect(await use(all, 'b', made('2'))).toBe('2');
    const asked: string[] = [];
    expect(await use(all, 'a', { ...made('1'), insists: ({ beganAt }) => asked.push(beganAt) > 0 })).toBe('1');
    expect(asked).toEqual(['2026-01-02']);
    await expect(use(all, 'c', failing)).rejects.toThrow('no registry');
    now += 20_000;
    expect(await use(all, 'c', made('3'))).toBe('3');
  });

  it('is what those hear who have waited for it, also who insists', async () => {
    const all = kept();
    const both = [use(all, 'a', failing), use(all, 'a', { ...made('1'), insists: () => true })];
    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  it('for another reason is tried at once', async () => {
    const all = kept();
    await expect(use(all, 'a', missing)).rejects.toThrow('it is not there');
    expect(await use(all, 'a', made('1'))).toBe('1');
  });
});

describe('the key', () => {
  const given: Circumstances = {
    projectId: 'p',
    setup: ['sh', '-c', 'sh ./tools/setup.sh --ci'],
    network: [],
    workspaceBytes: 1,
  };
  const files = [
    { path: 'package.json', content: '100644 blob 1' },
    { path: 'web/package-lock.json', content: '100644 blob 2' },
    { path: 'requirements-dev.txt', content: '100644 blob 3' },
    { path: 'tools/setup.sh', content: '100755 blob 4' },
    { path: 'src/main.js', content: '100644 blob 5' },
  ];
  const keyOf = (more: Partial<Circumstances> = {}, of = files, { isCut = false, id = 'c1' } = {}) =>
    dependencyKey({ ...given, ...more }, { id, files: of, isCut });
  const changed = (path: string) => files.map(file => (file.path === path ? { ...file, content: '100644 blob 9' } : file));

  it('follows from manifests and lockfiles anywhere, and from files that the command names', () => {
    for (const path of ['package.json', 'web/package-lock.json', 'requirements-dev.txt', 'tools/setup.sh'])
      expect([path, keyOf({}, changed(path)) === keyOf()]).toEqual([path, false]);
    expect(keyOf({}, changed('src/main.js'), { id: 'c2' })).toBe(keyOf());
    expect(keyOf({}, [...files, { path: 'go.sum', content: '100644 blob 1' }])).not.toBe(keyOf());
  });

  it('is of one project, command, network and size', () => {
    const others: Partial<Circumstances>[] = [
      { projectId: 'q' },
      { setup: ['sh', '-c', 'sh ./tools/setup.sh'] },
      { network: [{ host: 'a.test' }] },
      { workspaceBytes: 2 },
    ];
    const keys = [keyOf(), ...others.map(other => keyOf(other)), narrowed(keyOf(), 'c1')];
    expect(new Set(keys).size).toBe(6);
  });

  it('is of one commit where there are too many files to list', () => {
    expect(keyOf({}, files, { isCut: true })).not.toBe(keyOf({}, files, { isCut: true, id: 'c2' }));
  });

  it('is known of a commit after its files were listed once', async () => {
    const all = kept();
    let lists = 0;
    const list = () => Promise.resolve({ files: (lists++, files), isCut: false });
    const keys = [await all.keyOf(given, 'c1', list), await all.keyOf(given, 'c1', list), await all.keyOf(given, 'c2', list)];
    expect([new Set(keys).size, lists]).toEqual([1, 2]);
  });
});
