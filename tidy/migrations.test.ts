import { describe, expect, it } from 'vitest';
import { show } from './checks/finding.ts';
import { checkMigrations, LOCK } from './checks/migrations.ts';
import { paths, read } from './repo.ts';

const first = { path: 'src/db/migrations/0001_tenants.sql', text: 'create table a ();' };
const second = { path: 'src/db/migrations/0002_runs.sql', text: 'create table b ();' };
const lock = [
  '# name sha256',
  '0001_tenants.sql 25cf7ea3f01e84b22feb1a5f5df9f5ee7ed3a7e2a0cb4d1a2cb7e1a6d5bb0eb1',
  '0002_runs.sql 0d0f',
].join('\n');

describe('migrations', () => {
  it('refuses a change of a locked one', () => {
    const [unlocked = ''] = show(checkMigrations([first], ''));
    const line = /append "([^"]+)"/.exec(unlocked)?.[1] ?? '';
    expect(line).toMatch(/^0001_tenants[.]sql [0-9a-f]{64}$/);
    expect(checkMigrations([first], `# name sha256\n${line}\n`)).toEqual([]);
    expect(show(checkMigrations([{ ...first, text: 'create table c ();' }], line))).toEqual([
      `${first.path}:0 has changed after it was locked: write a new migration instead`,
    ]);
  });

  it('refuses one that is not locked, and a locked one that is gone', () => {
    expect(show(checkMigrations([first], lock)).map(text => text.split(' ').slice(0, 3).join(' '))).toEqual([
      `${first.path}:0 has changed`,
      `${LOCK}:0 0002_runs.sql is`,
    ]);
    expect(show(checkMigrations([second], lock.split('\n').slice(2).join('\n')))[0]).toContain('should be named 0001_');
  });

  it.each([
    'src/db/migrations/0003_c.sql',
    'src/db/migrations/2_c.sql',
    'src/db/migrations/0002-c.sql',
    'src/db/migrations/0001_again.sql',
  ])('refuses the number of %s', path => {
    expect(show(checkMigrations([first, { path, text: '' }], '')).some(text => text.includes('numbers run from 0001'))).toBe(
      true,
    );
  });

  it('finds nothing here', () => {
    const here = paths.filter(path => path.startsWith('src/db/migrations/')).map(path => ({ path, text: read(path) }));
    expect(show(checkMigrations(here, read(LOCK)))).toEqual([]);
  });
});
