import { describe, expect, it } from 'vitest';
import { show } from './checks/finding.ts';
import { checkPlaces } from './checks/places.ts';
import { sources } from './repo.ts';

// Joined here, so that this file may be checked too.
const path = (...parts: string[]) => ['', ...parts].join('/');

describe('places', () => {
  it.each([
    path('work', 'main'),
    `see ${path('work', '.cache')}`,
    path('Users', 'ann', 'skep'),
    path('home', 'ann', 'skep'),
    ['--registry', 'https://npm.example'].join('='),
    ['https://npm.example/artifact', 'ory/npm'].join(''),
    ['//npm.example/:_auth', 'Token=1'].join(''),
  ])('refuses %s', text => {
    expect(checkPlaces([{ path: 'docs/a.md', text }])).toHaveLength(1);
  });

  it.each(['the workspace (/work)', 'src/worker/sandbox.ts', ['test', 'work', 'a.ts'].join('/'), 'GET /users/1'])(
    'lets %s',
    text => {
      expect(checkPlaces([{ path: 'docs/a.md', text }])).toEqual([]);
    },
  );

  it('refuses a package that came from elsewhere than the public registry', () => {
    const text = ['"resolved": "https://registry.npmjs.org/a/-/a-1.tgz"', '"resolved": "https://npm.example/a/-/a-1.tgz"'].join(
      '\n',
    );
    expect(show(checkPlaces([{ path: 'package-lock.json', text }]))).toEqual([
      'package-lock.json:2 is not from the public registry',
    ]);
  });

  it('finds nothing here', () => {
    expect(show(checkPlaces(sources(/^[^.]|^[.](?!git\/)/)))).toEqual([]);
  });
});
