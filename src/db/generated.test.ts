import { readFileSync } from 'node:fs';
import { expect, inject, test } from 'vitest';
import { query, testDatabase } from '../../test/harness/database.ts';
import { schemaText } from '../../tidy/generate/schema.ts';
import { tablesText } from '../../tidy/generate/tables.ts';

const { ownerUrl, names, version } = inject('postgres');
const stored = (name: string) => readFileSync(new URL(name, import.meta.url), 'utf8');

// Compared as lists, so that a difference is shown by the line.
test(`tables.gen.ts is what the migrations make on ${version}: else run npm run generate`, async () => {
  expect(stored('tables.gen.ts').split('\n')).toEqual((await tablesText(ownerUrl)).split('\n'));
});

test(`schema.sql is what the migrations make on ${version}: else run npm run generate`, async () => {
  expect(stored('schema.sql').split('\n')).toEqual((await schemaText(ownerUrl, names)).split('\n'));
});

test.each([
  ['a column', 'alter table runs add mood text', '  mood text,'],
  [
    'a word of a check',
    `alter table tokens drop constraint tokens_role, add constraint tokens_role check (role in ('a', 'b'))`,
    `  constraint tokens_role CHECK ((role = ANY (ARRAY['a'::text, 'b'::text]))),`,
  ],
  ['a column that may be null', 'alter table tickets alter title drop not null', '  title text,'],
  ['an index', 'create index more on runs (state)', 'CREATE INDEX more ON runs USING btree (state);'],
  [
    'a trigger',
    'create trigger more after delete on runs for each statement execute function wake_claims()',
    'CREATE TRIGGER more AFTER DELETE ON runs FOR EACH STATEMENT EXECUTE FUNCTION wake_claims();',
  ],
  ['a grant', `grant delete on runs to ${names.app}`, 'grant delete, select on runs to {app};'],
  ['a wall of no rows', 'alter table migrations enable row level security', 'alter table migrations enable row level security;'],
  ['a policy', `create policy p on runs to ${names.app} using (true)`, 'create policy p on runs to {app} using (true);'],
  [
    'a function that everyone may call',
    'grant execute on function sequence_events to public',
    'grant execute on sequence_events(integer) to public;',
  ],
])('%s that differs is seen', async (_, change, line) => {
  const place = await testDatabase();
  await query(place.superuserUrl, change);
  const text = await schemaText(place.ownerUrl, names);
  await place.close();
  expect(text).not.toBe(stored('schema.sql'));
  expect(text.split('\n')).toContain(line);
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
