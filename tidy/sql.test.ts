import { describe, expect, it } from 'vitest';
import { isTest, show } from './checks/finding.ts';
import { checkSql } from './checks/sql.ts';
import { sources } from './repo.ts';

describe('sql', () => {
  it.each([
    '`select id from runs where id = $1`',
    `'insert into runs (id) values ($1)'`,
    '`\n  update runs set state = ${state}`',
    `'delete from runs'`,
    '`with due as (select 1) select 2`',
  ])('refuses %s outside the files of statements', statement => {
    const text = `query(${statement});`;
    expect(checkSql([{ path: 'src/stages/runs/verbs.ts', text }])).toHaveLength(1);
    expect(checkSql([{ path: 'src/stages/runs/claim.sql.ts', text }])).toEqual([]);
  });

  it.each([`'select a ticket'`, `'update the plan'`, '`with care`'])('lets prose be: %s', text => {
    expect(checkSql([{ path: 'src/a.ts', text: `say(${text});` }])).toEqual([]);
  });

  it('finds nothing here', () => {
    expect(show(checkSql(sources(/^src\/.*[.]ts$/).filter(({ path }) => !isTest(path))))).toEqual([]);
  });
});
