import { describe, expect, it } from 'vitest';
import { show } from './checks/finding.ts';
import { checkCount, checkLockfile, checkReasons, checkVersions, REASONS } from './checks/packages.ts';
import type { Lockfile, Manifest } from './checks/packages.ts';
import { read } from './repo.ts';

describe('packages', () => {
  it('refuses a range of versions', () => {
    const manifest = {
      dependencies: { a: '^1.0.0', b: '1.0.0' },
      devDependencies: { c: 'latest', d: '1.0.0-beta.2' },
      optionalDependencies: { e: '~2.0.0' },
    };
    expect(checkVersions(manifest).map(({ says }) => says.split(':')[0])).toEqual(['a', 'e', 'c']);
  });

  it('refuses a package without a reason, and a reason without a package', () => {
    const table = '| `a` | it parses |\n| `@e/*` | binaries |\n| `gone` | once |\n| `mute` | |';
    const manifest = {
      dependencies: { a: '1.0.0', bare: '1.0.0', mute: '1.0.0' },
      optionalDependencies: { '@e/linux': '1.0.0' },
    };
    expect(show(checkReasons(manifest, table))).toEqual([
      `${REASONS}:0 bare has no row: say in one line why it is here`,
      `${REASONS}:0 gone is no dependency any more: take the row away`,
      `${REASONS}:0 mute has no reason`,
    ]);
  });

  it('refuses a lockfile that is not of this package.json, or lacks what another platform needs', () => {
    const lock = {
      packages: {
        '': { dependencies: { a: '1.0.0' } },
        'node_modules/a': { optionalDependencies: { 'a-linux': '1.0.0', 'a-mac': '1.0.0' } },
        'node_modules/a-linux': {},
      },
    };
    expect(show(checkLockfile({ dependencies: { a: '1.0.1' } }, lock))).toEqual([
      'package-lock.json:0 a is not as in package.json: run npm install',
      'package-lock.json:0 a-mac is an optional part and is not in it: write the file where the registry has it',
    ]);
    expect(
      checkLockfile(
        { dependencies: { a: '1.0.0' } },
        { packages: { '': { dependencies: { a: '1.0.0' } }, 'node_modules/a': {} } },
      ),
    ).toEqual([]);
  });

  it('refuses the forty-sixth package', () => {
    const dependencies = Object.fromEntries(Array.from({ length: 46 }, (_, i) => [`p${i}`, '1.0.0']));
    expect(checkCount({ dependencies })).toHaveLength(1);
  });

  it('finds nothing here', () => {
    const manifest = JSON.parse(read('package.json')) as Manifest;
    const lock = JSON.parse(read('package-lock.json')) as Lockfile;
    expect(show([...checkVersions(manifest), ...checkReasons(manifest, read(REASONS)), ...checkCount(manifest)])).toEqual([]);
    expect(show(checkLockfile(manifest, lock))).toEqual([]);
  });
});
