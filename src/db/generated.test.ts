import { readFileSync } from 'node:fs';
import { expect, inject, test } from 'vitest';
import { query, testDatabase } from '../../test/harness/database.ts';
import { schemaText } from '../../tidy/generate/schema.ts';
import { tablesText } from '../../tidy/generate/tables.ts';

const { ownerUrl, names, version } = inject('postgres');
const stored = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');
const mend = 'run npm run generate';

test(`tables.gen.ts is what the migrations make on ${version}`, async () => {
  expect(stored('tables.gen.ts') === (await tablesText(ownerUrl)), mend).toBe(true);
});

test(`schema.sql is what the migrations make on ${version}`, async () => {
  // As lists: the difference is then shown by the line.
  expect((await schemaText(ownerUrl, names)).split('\n'), mend).toEqual(stored('schema.sql').split('\n'));
});

test.each([
  ['a column', 'alter table runs add mood text', '  mood text,'],
  [
    'a word of a check',
    `alter table tokens drop constraint tokens_role, add constraint tokens_role check (role in ('a', 'b'))`,
    undefined,
  ],
  ['a column that may be null', 'alter table tickets alter title drop not null', '  title text,'],
  ['an index', 'create index more on runs (state)', 'CREATE INDEX more ON runs USING btree (state);'],
  ['a grant', `grant delete on runs to ${names.app}`, 'grant delete, select on runs to {app};'],
  ['a wall that is down', 'alter table runs no force row level security', undefined],
  ['a policy', `create policy p on runs to ${names.app} using (true)`, 'create policy p on runs to {app} using (true);'],
  ['a function that everyone may call', 'grant execute on function enqueue to public', undefined],
])('%s that differs is seen', async (_, change, line) => {
  const place = await testDatabase();
  await query(place.superuserUrl, change);
  const text = await schemaText(place.ownerUrl, names);
  await place.close();
  expect(text).not.toBe(stored('schema.sql'));
  if (line !== undefined) expect(text.split('\n')).toContain(line);
});

test('what changes a type is seen in tables.gen.ts too', async () => {
  const place = await testDatabase();
  await query(
    place.superuserUrl,
    `alter table tickets alter title drop not null;
     alter table tokens drop constraint tokens_role, add constraint tokens_role check (role in ('a', 'b'))`,
  );
  const text = await tablesText(place.ownerUrl);
  await query(place.superuserUrl, 'alter table tickets add place point');
  const unknown = tablesText(place.ownerUrl);
  await expect(unknown).rejects.toThrow('what is point (place) in TypeScript?');
  await place.close();
  expect(text).toContain(`  title: string | null;`);
  expect(text).toContain(`  role: 'a' | 'b';`);
});
