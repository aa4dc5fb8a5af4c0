import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { skep } from '../../../../test/harness/cli.ts';
import { removeTree } from '../../../../test/harness/disks.ts';
import { benchMark } from './ways/provided.ts';

const folder = mkdtempSync(join(tmpdir(), 'skep-bench-test-'));
afterAll(() => removeTree(folder));

// A repository of 10,000 files is made in it.
const slowMs = 240_000;

/** Files in SKEP_HOME, and mounts; the folder of all measurements may stay, empty. That processes are gone is part of the measurement. */
function left(home: string): string[] {
  return [
    ...readdirSync(join(home, 'bench')),
    ...readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .filter(line => line.includes(home)),
  ];
}

function sandboxesIn(home: string): string[] {
  try {
    return readdirSync(home, { recursive: true, encoding: 'utf8' });
  } catch {
    // Something in it went while it was looked at.
    return [];
  }
}

interface Document {
  readonly count: number;
  readonly ways: readonly {
    readonly name: string;
    readonly start_ms: readonly number[];
    readonly at_once: { readonly count: number };
  }[];
  readonly figures: readonly { readonly name: string; readonly value: number; readonly goal: number | null }[];
  readonly lacking: readonly unknown[];
}

describe('skep bench sandbox', () => {
  it(
    'measures the sandboxes of this machine beside a plain process, draws them, and leaves nothing',
    async () => {
      const home = join(folder, 'whole');
      const asked = ['bench', 'sandbox', '--count', '2', '--json', '--svg', 'starts.svg'];
      const { code, out, err } = await skep(asked, { env: { SKEP_HOME: home }, cwd: folder });
      expect([code, err]).toEqual([0, '']);
      const { count, ways, figures, lacking } = JSON.parse(out) as Document;
      expect([count, lacking]).toEqual([2, []]);
      const names = ['no sandbox, a process', 'unshare, all namespaces', 'bubblewrap, bare', 'Skep, cold', 'Skep, warm'];
      expect(ways.map(({ name }) => name)).toEqual(names);
      expect(ways.flatMap(({ start_ms }) => start_ms).every(ms => ms > 0)).toBe(true);
      expect(ways.map(({ start_ms, at_once }) => [start_ms.length, at_once.count])).toEqual(names.map(() => [2, 2]));
      expect(figures.map(({ name }) => name)).toContain('from the kill to nothing left, p50');
      expect(figures.every(({ value }) => value >= 0)).toBe(true);
      // The goals of what is at once are those of a hundred.
      expect(figures.filter(({ name }) => name.includes('at once')).map(({ goal }) => goal)).toEqual([null, null, null]);
      expect(readFileSync(join(folder, 'starts.svg'), 'utf8').match(/<circle /g)).toHaveLength(2 * names.length);
      expect(left(home)).toEqual([]);
    },
    slowMs,
  );

  it(
    'ends at Ctrl-C, and leaves nothing',
    async () => {
      const home = join(folder, 'ended');
      const stopRequested = async () => {
        await expect
          .poll(() => sandboxesIn(home), { timeout: slowMs, interval: 5 })
          .toContainEqual(expect.stringContaining(benchMark));
        return 'SIGINT' as const;
      };
      const { code, out } = await skep(['bench', 'sandbox', '--count', '50'], { env: { SKEP_HOME: home }, stopRequested });
      expect([code, out]).toEqual([130, '']);
      expect(left(home)).toEqual([]);
    },
    slowMs,
  );

  it('says why where no sandbox can be made', async () => {
    const home = join(folder, 'broken');
    mkdirSync(join(home, 'bench'), { recursive: true });
    const { code, err } = await skep(['bench', 'sandbox'], { env: { SKEP_HOME: home, SKEP_SANDBOX: 'oci:none' } });
    expect([code, err]).toEqual([2, expect.stringContaining('oci:none')]);
  });

  it('refuses a picture that it could not save before it measures', async () => {
    writeFileSync(join(folder, 'in-the-way'), '');
    const { code, err } = await skep(['bench', 'sandbox', '--svg', 'in-the-way/x.svg'], {
      env: { SKEP_HOME: join(folder, 'unused') },
      cwd: folder,
    });
    expect([code, err]).toEqual([2, expect.stringContaining('--svg')]);
  });
});
