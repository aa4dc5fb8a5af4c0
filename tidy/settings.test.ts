import { describe, expect, it } from 'vitest';
import { show } from './checks/finding.ts';
import { checkSettings, checkVariables } from './checks/settings.ts';
import { paths, read } from './repo.ts';

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

describe('variables of tests', () => {
  it('refuses one that is not told, and one that is told and not read', () => {
    const env = (name: string) => `process.env['${name}'];`;
    const tests = [source('test/a.ts', ['PATH', 'SKEP_PORT', 'SEED'].map(env).join('')), source('test/b.ts', env('PART'))];
    const guide = source('docs/guides/proofs.md', '| variable | what |\n|---|---|\n| `PART`, `HALF` | `SEED` |\n');
    expect(show(checkVariables(tests, guide, source('docs/configuration.md', '`SKEP_PORT`')))).toEqual([
      'test/a.ts:0 SEED is not in docs/guides/proofs.md',
      'docs/guides/proofs.md:3 no test reads HALF',
    ]);
  });

  it('finds nothing here', () => {
    const here = (path: string) => source(path, read(path));
    const tests = paths.filter(path => /^test[/].*[.]ts$/.test(path)).map(here);
    expect(tests.length).toBeGreaterThan(100);
    expect(show(checkVariables(tests, here('docs/guides/proofs.md'), here('docs/configuration.md')))).toEqual([]);
  });
});
