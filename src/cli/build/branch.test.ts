import { expect, it } from 'vitest';
import { branchFor as branchOfServer } from '../../support/repositories/model/trunk.ts';
import { branchFor } from './branch.ts';

it.each(['Todo app', ' -x- ', 'Übergröße – 2', '日本', '', 'a'.repeat(90), "x'; rm -rf /", 'a..b.lock', 'x'.repeat(59) + ' y'])(
  'names the branch for %j as the server does',
  title => {
    expect(branchFor(title)).toBe(branchOfServer(title));
  },
);
