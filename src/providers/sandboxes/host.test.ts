import { execFileSync } from 'node:child_process';
import { mkdirSync, statfsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/harness/worker.ts';
import { openHome } from './host.ts';

const ext4 = 0xef53;

describe('the folder of sandboxes', () => {
  it('is made for its owner alone, and is where it leads', () => {
    const top = temporaryFolder();
    mkdirSync(join(top, 'other'));
    symlinkSync(join(top, 'other'), join(top, 'link'));
    const place = openHome(join(top, 'link'));
    expect(place).toBe(join(top, 'other'));
    expect(statSync(place).mode & 0o777).toBe(0o700);
  });

  it.skipIf(statfsSync(temporaryFolder()).type !== ext4)('has what lies in it spread over a disk of ext4', () => {
    const place = openHome(join(temporaryFolder(), 'sandboxes'));
    const flags = execFileSync('lsattr', ['-d', '--', place], { encoding: 'utf8' });
    expect(flags.split(' ')[0]).toContain('T');
  });

  it('is said not to be one where it is none', () => {
    const file = join(temporaryFolder(), 'file');
    writeFileSync(file, '');
    expect(() => openHome(join(file, 'sandboxes'))).toThrow(/cannot be used/);
  });
});
