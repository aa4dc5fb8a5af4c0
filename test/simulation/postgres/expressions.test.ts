import pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { openMemoryPostgres } from './index.ts';

/**
 * Expressions and queries of no table, asked of the real PostgreSQL and of the one in memory. An error is compared by its SQLSTATE.
 */
const expressions = [
  // What is unknown.
  'null = null',
  'null <> 1',
  'null is null',
  'null::int is not null',
  'not null::bool',
  'null and false',
  'null and true',
  'null or true',
  'null or false',
  'true and null is null',
  '(null::bool) is not true',
  '(null::bool) is true',
  '(1 = 1) is true',
  'null::bool is unknown',
  '1 in (1, null)',
  '2 in (1, null)',
  '2 not in (1, null)',
  '2 not in (1, 3)',
  'null in (1, 2)',
  "'a' in ('a', 'b')",
  "'c' not in ('a', 'b')",
  '1 = any (array[1, null])',
  '2 = any (array[1, null])',
  '2 <> all (array[1, null])',
  '1 <> all (array[1, null])',
  "1 = any ('{}'::int[])",
  "1 <> all ('{}'::int[])",
  'null::int = any (array[1])',
  "null::int = any ('{}'::int[])",
  '1 = any (null::int[])',
  '3 > all (array[1, 2])',
  '3 < any (array[1, null])',
  'null is distinct from null',
  '1 is distinct from null',
  '1 is not distinct from 1',
  '1 is distinct from 2',
  'nullif(1, 1)',
  'nullif(1, 2)',
  'nullif(null, 1)',
  "nullif('', '')",
  "nullif('a', '')",
  'coalesce(null, 2, 3)',
  "coalesce(null, 'a')",
  'greatest(1, null, 3)',
  'least(2, 1.5)',
  'greatest(null::int, null)',
  "least('b', 'a')",
  '2 between 1 and 3',
  'null between 1 and 3',
  'case when null then 1 else 2 end',
  'case 1 when 2 then 3 end',
  "case 'a' when 'a' then 1 when 'b' then 2 end",
  "case when false then 'x' end",
  'case when 1 = 1 then 1 else 1 / 0 end',
  'case null::int when null then 1 else 2 end',
  // Rows.
  '(1, 2) = (1, 2)',
  '(1, 2) <> (1, 3)',
  '(1, null) = (1, 2)',
  '(1, null) = (2, 2)',
  '(1, null) <> (2, 2)',
  '(1, 2) < (1, 3)',
  '(1, 2) > (1, 3)',
  '(1, null) < (2, 1)',
  '(1, null) < (1, 1)',
  "(1, '{a,b}'::text[]) > (1, '{a}'::text[])",
  "(1, '{}'::text[]) >= (1, '{}'::text[])",
  // Numbers.
  '7 / 2',
  '-7 / 2',
  '7 % 3',
  '-7 % 3',
  '7 / 2.0 > 3.4',
  '(7 / 2.0)::float8',
  '1 / 0',
  '1.5::int',
  '2.5::int',
  '-2.5::int',
  '2.5::float8::int',
  '3.5::float8::int',
  '2147483647 + 1',
  '2147483647::bigint + 1',
  '(1000000 * 1000000::bigint)',
  '1e3::float8',
  'floor(2.7)::int',
  'ceil(2.1)::int',
  'floor(-2.5)::int',
  'round(2.5)::int',
  'round(3.5)::int',
  'round(-2.5)::int',
  'round(2.5::float8)::int',
  'round(2.345, 2)::float8',
  'div(7, 2)::int',
  'div(-7, 2)::int',
  'abs(-3)',
  '- 3',
  '-(-3)',
  '(1 = 1)::int',
  "'12'::int",
  "'x'::int",
  "'1.5'::int",
  "'99999999999'::int",
  "' 7 '::int",
  "'1e2'::float8",
  "'1.25'::numeric::float8",
  '0.1 + 0.2 = 0.3',
  '(0.1::float8 + 0.2::float8) = 0.3::float8',
  'ceil((3 * 1000000) * 0.000001)::int',
  'least(3, 4.5)::float8',
  // Text.
  "'a' || 'b'",
  "'a' || 1",
  "1 || 'a'",
  "'a' || null",
  "left('abc', 2)",
  "left('abc', -1)",
  "right('abc', 2)",
  "right('abc', -1)",
  "strpos('a/b', '/')",
  "strpos('ab', 'x')",
  "reverse('abc')",
  "left('src/a/b', -strpos(reverse('src/a/b'), '/'))",
  "substring('agent:exec' from 7)",
  "substring('abcdef' from 2 for 3)",
  "substring('abc' from 0 for 2)",
  "length('äö')",
  "char_length('abc')",
  "length('\\x0102'::bytea)",
  "lower('ÄB')",
  "upper('ab')",
  "replace('aXbX', 'X', '$&')",
  "'abc' like 'a%'",
  "'abc' like 'a_c'",
  "'a%c' like 'a\\%c'",
  "'abc' not like 'b%'",
  "'a.c' like 'a.c'",
  "'abc' like 'a.c'",
  "'TKT-123' ~ '^TKT-[0-9]{3,9}$'",
  "'TKT-12' ~ '^TKT-[0-9]{3,9}$'",
  "'a' < 'b'",
  "'abc' ~* 'B'",
  "array_to_string(array['a', null, 'b'], '/')",
  "string_to_array('a/b//c', '/')",
  "string_to_array('', '/')",
  "(string_to_array('a/b/c', '/'))[1:2]",
  '(array[1,2,3])[2]',
  '(array[1,2,3])[7]',
  '(array[1,2,3])[2:9]',
  'true::text',
  '1.50::text is not null',
  'null::text',
  "'a'::text = 'a'",
  '\'{"b":1,"a":[1,2]}\'::jsonb::text',
  "array['a b', 'c', null, '']::text[]::text",
  "'00000000-0000-0000-0000-0000000000AB'::uuid",
  "'xyz'::uuid",
  "'t'::bool",
  "'off'::bool",
  "'maybe'::bool",
  // Arrays.
  'array[1, 2] || 3',
  '0 || array[1]',
  'array[1] || array[2, 3]',
  "array['a'] || 'b'::text",
  'array[1] || null::int',
  'null::int[] || array[1]',
  "'{}'::text[] || array['a']",
  'array[1, 2] <@ array[2, 1, 3]',
  'array[1, 4] <@ array[1, 2]',
  "'{}'::int[] <@ array[1]",
  'array[1, 2] @> array[1]',
  'array[1, 2] && array[2, 3]',
  'array[1] && array[2]',
  'null::int[] <@ array[1]',
  'array[null]::int[] <@ array[1, null]',
  'array[1, 2] = array[1, 2]',
  'array[1, 2] <> array[2, 1]',
  'array[1, 2] < array[1, 3]',
  'array[1] < array[1, 0]',
  "array_position(array['a', 'b'], 'b')",
  "array_position(array['a'], 'z')",
  "array_position(array['a', null], null)",
  "cardinality('{}'::int[])",
  'cardinality(array[1, 2])',
  '\'{a,"b c",NULL,""}\'::text[]',
  "'{1,2}'::int[]",
  "'{}'::int[]",
  'array[1, 2.5]::float8[]',
  "array['1', '2']::int[]",
  // JSON.
  `'{"a":{"b":"c"}}'::jsonb -> 'a' ->> 'b'`,
  `'{"a":null}'::jsonb ->> 'a'`,
  `'{"a":null}'::jsonb -> 'a'`,
  `'{}'::jsonb ->> 'a'`,
  `'{"a":1.5}'::jsonb ->> 'a'`,
  `'{"a":{"x":1,"b":[true,"q"]}}'::jsonb ->> 'a'`,
  `'[1,2]'::jsonb -> 1`,
  `'[1,2]'::jsonb ->> -1`,
  `'[1,2]'::jsonb -> 'a'`,
  `'"x"'::jsonb -> 'a'`,
  `'{"a":1}'::jsonb ? 'a'`,
  `'["a"]'::jsonb ? 'a'`,
  `'{"a":1}'::jsonb ?| array['b', 'a']`,
  `'{"a":1}'::jsonb ?| array['b']`,
  `'{"a":1}'::jsonb ?| '{}'::text[]`,
  `'{"a":1}'::jsonb ?| null`,
  `'{}'::jsonb ?& '{}'::text[]`,
  `'{"a":1,"b":2}'::jsonb || '{"b":3}'::jsonb`,
  `'[1]'::jsonb || '2'::jsonb`,
  `'{"a":1}'::jsonb || '{}'`,
  `'{"b":1,"a":2}'::jsonb = '{"a":2,"b":1}'::jsonb`,
  `'[1,2]'::jsonb = '[2,1]'::jsonb`,
  `'{"a":1}'::jsonb = '{"a":1.0}'::jsonb`,
  `jsonb_build_object('b', 1, 'aa', null, 'a', array['x'])`,
  `jsonb_build_object('t', '2026-01-02T03:04:05Z'::timestamptz)`,
  `'x'::jsonb`,
  `jsonb_build_object('a', '{"z":1}'::jsonb, 'b', true)`,
  `'{"a":"3"}'::jsonb ->> 'a' = '3'`,
  `('{"a":true}'::jsonb ->> 'a')::bool`,
  `jsonb_typeof('[]')`,
  `jsonb_array_length('[1,{"a":2},null]')`,
  `jsonb_array_length('{"a":1}')`,
  `jsonb_array_length('3')`,
  `'[]'::jsonb = '[]'`,
  // Time.
  "'2026-01-02T03:04:05.678Z'::timestamptz",
  "'2026-01-02 03:04:05+02'::timestamptz",
  "'2026-01-02'::timestamptz < '2026-01-03'::timestamptz",
  "'nonsense'::timestamptz",
  "('2026-01-02T00:00:00Z'::timestamptz + make_interval(secs => 90))",
  "('2026-01-02T00:00:00Z'::timestamptz - make_interval(days => 1, hours => 2))",
  "make_interval(secs => 15000 / 1000.0) = interval '15 seconds'",
  "5::bigint * interval '1 millisecond' = make_interval(secs => 0.005)",
  "extract(epoch from ('2026-01-02T00:00:01.5Z'::timestamptz - '2026-01-02T00:00:00Z'::timestamptz))::float8",
  "extract(epoch from '2026-01-02T00:00:00Z'::timestamptz)::bigint",
  'make_interval(secs => null)',
  'make_interval(secs => null::int / 1000.0) is null',
  "date_trunc('second', '2026-01-02T03:04:05.678Z'::timestamptz)",
  "'-infinity'::timestamptz < now()",
  "date_trunc('milliseconds', now()) <= now()",
  'clock_timestamp() >= now()',
  "interval '1 day' > interval '23 hours'",
  "'2026-01-31T00:00:00Z'::timestamptz + null::interval",
  "coalesce(null::timestamptz, '-infinity') < '2026-01-01'",
  'random() < 1',
  "current_setting('app.nothing', true)",
];

const queries = [
  "select * from (values (1, 'a'), (2, 'b'), (3, null)) v (n, t) where t is not null order by n desc",
  'select n from (values (1), (null), (2)) v (n) order by n',
  'select n from (values (1), (null), (2)) v (n) order by n desc',
  'select n from (values (1), (null), (2)) v (n) order by n desc nulls last',
  'select n from (values (1), (null), (2)) v (n) order by n nulls first limit 2',
  'select n from generate_series(1, 5) n limit 2 offset 1',
  'select n from generate_series(1, 3) n limit null',
  'select n from generate_series(1, 3) n limit 0',
  'select a.n, b.n as m from generate_series(1, 3) a (n) left join generate_series(2, 3) b (n) on a.n = b.n order by 1',
  'select a.n, b.n as m from generate_series(1, 3) a (n) left join generate_series(2, 3) b (n) on a.n = b.n where b.n is null',
  'select a.n, b.n as m from generate_series(1, 2) a (n) left join generate_series(1, 3) b (n) on a.n = b.n and b.n > 1 order by 1',
  'select a.n, c.m from generate_series(1, 3) a (n) cross join lateral (select a.n * 2 as m where a.n > 1) c order by 1',
  'select a.n, c.m from generate_series(1, 3) a (n) left join lateral (select a.n * 2 as m where a.n > 1) c on true order by 1',
  'select count(*), count(n), sum(n), min(n), max(n), bool_or(n > 1), bool_and(n > 1), array_agg(n) from (values (1), (null), (2)) v (n)',
  'select count(*), sum(n), min(n), max(n), bool_or(n > 1), array_agg(n), jsonb_agg(n) from generate_series(1, 0) n',
  'select n % 2 as odd, count(*), array_agg(n order by n desc) from generate_series(1, 5) n group by n % 2 order by odd',
  'select n % 2 as odd, count(*) filter (where n > 2) from generate_series(1, 5) n group by odd having count(*) > 2',
  "select grouping(a) as g, a, b, count(*), sum(c) from (values ('x', 1, 1), ('x', 2, 2), ('y', 1, 4), (null, 1, 8)) v (a, b, c) group by grouping sets ((a, b), (b)) order by g, a, b",
  "select to_char('2026-01-02T23:30:00Z'::timestamptz at time zone 'UTC', 'YYYY-MM-DD') as day",
  'select count(distinct n % 2), count(distinct (n % 2, n % 3)) from generate_series(1, 6) n',
  'select count(distinct n) filter (where n > 1) from (values (1), (2), (2), (null)) v (n)',
  'select mode() within group (order by n) from (values (3), (1), (3), (1), (2)) v (n)',
  "select jsonb_object_agg(k, v) from (values ('b', 1), ('a', null)) x (k, v)",
  'select sum(n)::bigint from (values (1::bigint), (2)) v (n)',
  "select max(t) from (values ('a'), ('b')) v (t)",
  'select distinct n % 2 as m from generate_series(1, 5) n order by m',
  'select distinct on (n % 2) n from generate_series(1, 5) n order by n % 2, n desc',
  'select key from (select distinct unnest(a) as key from (values (array[1, 2]), (array[2, 3])) v (a)) k order by key',
  'select n, row_number() over (order by n desc) as turn from generate_series(1, 3) n order by n',
  'select 1 as a union all select 1 union all select 2 order by a desc',
  'select 1 as a union select 1 union select 2 order by a',
  '(select 1 as a union all select 2) limit 1',
  'select null as a union all select 1',
  'select 1 as a union all select 2.5 order by 1',
  'select n from generate_series(1, 3) n except select 2 order by n',
  'with a as (select 1 as n), b as (select n + 1 as n from a) select * from b',
  'with recursive up (n) as (select 1 union all select n + 1 from up where n < 4) select array(select n from up) as ns',
  "with recursive up as (select 'a/b/c' as place union select left(place, -strpos(reverse(place), '/')) from up where strpos(place, '/') > 0) select * from up",
  'with unused as (select 1 / 0) select 1 as n',
  'with a as materialized (select random() as r) select (select r from a) = (select r from a) as same',
  'select exists (select from generate_series(1, 0)) as e, array(select n from generate_series(1, 3) n order by n desc) as a, (select 1 where false) as s',
  'select (select n from generate_series(1, 2) n) as x',
  'select n from generate_series(1, 3) n where exists (select from generate_series(2, 3) m where m = n) order by n',
  'select 2 in (select n from generate_series(1, 3) n) as a, null in (select 1 where false) as b',
  'select 2 in (select null::int) as a, 2 not in (select 1) as b',
  "select * from unnest(array[1, 2], array['a']) as u (n, t)",
  'select e, place from jsonb_array_elements(\'[{"a":1},2]\') with ordinality as x (e, place)',
  'select * from jsonb_to_recordset(\'[{"a":1,"b":"x","c":{"d":1},"e":["p"]},{"a":"2","b":null}]\') as x (a int, b text, c jsonb, e text[], f bool)',
  "select x.need from unnest(array['a', 'b']) as x (need) where need <> 'a'",
  "select need from unnest('{label:a,agent:b}'::text[]) as need where need like 'agent:%' limit 1",
  'select v.* from (values (1, 2)) v (a, b)',
  'select 1, 2',
  'select 1 as "isBig", now() is not null, 1::text, coalesce(1, 2), array[1], case when true then 1 end, exists (select), (select 3 as q), greatest(1, 2), nullif(1, 2)',
  'select to_jsonb(n) as j from generate_series(1, 1) n',
  'select a.n from generate_series(1, 2) a (n), generate_series(1, 2) b (n) where n = 1',
  'select nothing',
  'select t.nothing from (select 1 as n) t',
  'select x.n from (select 1 as n) t',
  'select n from generate_series(1, 3) n where n > (select avg(m) from generate_series(1, 3) m)',
];

/** Numbers of the driver are texts where they might not fit; here all of them are numbers. */
const types = new pg.TypeOverrides();
types.setTypeParser(20, Number);
types.setTypeParser(1700, Number);

let real: pg.Client;
const memory = openMemoryPostgres({ now: () => Date.UTC(2026, 0, 2), random: () => 0.5, uuid: () => '' }).connect('owner');

beforeAll(async () => {
  real = new pg.Client({ connectionString: inject('postgres').engineUrl, types });
  await real.connect();
  await real.query("set timezone = 'UTC'");
});

afterAll(() => real.end());

const asNumber = (value: unknown) => (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value);

/** `numeric` is a text in both, and written with more zeros in one: what looks like a number is compared as one. */
function plain(rows: readonly object[]): unknown {
  return rows.map(row => Object.fromEntries(Object.entries(row).map(([key, value]) => [key, asNumber(value)])));
}

async function asked(text: string): Promise<unknown> {
  try {
    const { rows } = await real.query<object>(text);
    return plain(rows);
  } catch (error) {
    return { refused: (error as pg.DatabaseError).code };
  }
}

function found(text: string): unknown {
  try {
    return plain(memory.run(text));
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    return { refused: code ?? message };
  }
}

const each = (texts: readonly string[], answer: (text: string) => unknown) =>
  Object.fromEntries(texts.map(text => [text, answer(text)]));

async function answers(texts: readonly string[]): Promise<object> {
  const out: Record<string, unknown> = {};
  for (const text of texts) out[text] = await asked(text);
  return out;
}

describe('as the real PostgreSQL', () => {
  test('expressions', async () => {
    const texts = expressions.map(expression => `select ${expression} as it`);
    expect(each(texts, found)).toEqual(await answers(texts));
  });

  test('queries', async () => {
    expect(each(queries, found)).toEqual(await answers(queries));
  });
});
