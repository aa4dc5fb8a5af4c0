import { describe, expect, it } from 'vitest';
import { show } from './checks/finding.ts';
import { checkSettings } from './checks/settings.ts';
import { read } from './repo.ts';

const source = (path: string, text: string) => ({ path, text });

describe('settings', () => {
  it('refuses one that is not told, and one that is told and not read', () => {
    const config = source('src/config.ts', 'DATABASE_URL\nSKEP_PORT\nSKEP_PORT');
    const guide = source('docs/configuration.md', '`SKEP_PORT`\n`SKEP_HOST`');
    expect(show(checkSettings(config, guide))).toEqual([
      'src/config.ts:1 DATABASE_URL is not in docs/configuration.md',
      'docs/configuration.md:2 SKEP_HOST is not in src/config.ts',
    ]);
  });

  it('finds nothing here', () => {
    const here = (path: string) => source(path, read(path));
    expect(show(checkSettings(here('src/config.ts'), here('docs/configuration.md')))).toEqual([]);
  });
});
