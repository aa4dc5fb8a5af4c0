import { camel } from '../../contract/case.ts';
import { withClient } from '../../src/db/server/session.ts';

interface Column {
  readonly table: string;
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
  /** The definitions of the checks on this column alone, and the bodies of the functions that checks on it call. */
  readonly checks: readonly string[];
}

/** What the driver makes of each type of ours (src/db/pool.ts). A type that is not here stops the generation. */
const typeScriptTypes: Readonly<Record<string, string>> = {
  bool: 'boolean',
  bytea: 'Buffer',
  float8: 'number',
  int4: 'number',
  int8: 'number',
  jsonb: 'unknown',
  text: 'string',
  timestamptz: 'Date',
  uuid: 'string',
};

/** The tables of a migrated database as TypeScript, with the words that a CHECK allows as unions. */
export async function tablesText(url: string): Promise<string> {
  const columns = await readColumns(url);
  const tables = [...new Set(columns.map(column => column.table))];
  const listed = tables.map(table => `  readonly ${table}: ${interfaceName(table)};`);
  const interfaces = tables.map(table =>
    interfaceText(
      table,
      columns.filter(column => column.table === table),
    ),
  );
  return `${[
    `// Made from the migrations by \`npm run generate\`: do not edit.\n\nexport interface Tables {\n${listed.join('\n')}\n}`,
    ...interfaces,
  ].join('\n\n')}\n`;
}

function interfaceText(table: string, columns: readonly Column[]): string {
  const fields = columns.map(column => `  ${camel(column.name)}: ${typeOf(column)};`);
  return `interface ${interfaceName(table)} {\n${fields.join('\n')}\n}`;
}

function interfaceName(table: string): string {
  const name = camel(table);
  return `${name.charAt(0).toUpperCase()}${name.slice(1)}Table`;
}

function typeOf(column: Column): string {
  const { name, type, nullable } = column;
  const isArray = type.startsWith('_');
  const plain = typeScriptTypes[isArray ? type.slice(1) : type];
  if (plain === undefined) throw new Error(`what is ${type} (${name}) in TypeScript? Add it to tidy/generate/tables.ts`);
  const words = wordsOf(column);
  const whole = words?.map(word => `'${word}'`).join(' | ') ?? (isArray ? `${plain}[]` : plain);
  return nullable && plain !== 'unknown' ? `${whole} | null` : whole;
}

/**
 * The words that the checks allow in a column: of `CHECK ((role = ANY (ARRAY['admin'::text, …])))` and `CHECK ((kind = 'bundle'::text))`,
 * and of a function that a check calls, where the column by itself has to be `in ('ok', …)`. Undefined where it may hold any.
 */
export function wordsOf({ name, checks }: Pick<Column, 'name' | 'checks'>): string[] | undefined {
  const list = /^CHECK \(\(\w+ = (?:ANY \(ARRAY\[((?:'[^']+'::text(?:, )?)+)\]\)|('[^']+')::text)\)\)$/;
  const conjunct = new RegExp(`\\b(?:return|and) (?:\\(${name} is null or )?${name} in \\(((?:'[^']+'(?:, )?)+)\\)`);
  for (const definition of checks) {
    const found = list.exec(definition) ?? conjunct.exec(definition);
    if (found !== null)
      return [
        ...found
          .slice(1)
          .join('')
          .matchAll(/'([^']+)'/g),
      ].map(([, word = '']) => word);
  }
  return undefined;
}

export async function readColumns(url: string): Promise<Column[]> {
  const { rows } = await withClient(url, client =>
    client.query<Column>(
      `select c.relname as table, a.attname as name, t.typname as type, not a.attnotnull as nullable,
              array(select coalesce(f.prosrc, pg_get_constraintdef(k.oid))
                      from pg_constraint k left join lateral (
                        select p.prosrc from pg_depend d join pg_proc p on p.oid = d.refobjid
                         where d.classid = 'pg_constraint'::regclass and d.objid = k.oid and d.refclassid = 'pg_proc'::regclass) f on true
                     where k.conrelid = c.oid and k.contype = 'c' and a.attnum = any (k.conkey)
                       and (f.prosrc is not null or k.conkey = array[a.attnum]) order by k.conname) as checks
         from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
         join pg_type t on t.oid = a.atttypid
        where c.relnamespace = 'skep'::regnamespace and c.relkind in ('r', 'p') order by c.relname, a.attnum`,
    ),
  );
  return rows;
}
