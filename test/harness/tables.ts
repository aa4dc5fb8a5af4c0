import { query } from './database.ts';

/** All that a database holds: the rows of each table of the product, and the jobs that wait. A part of it is named by its table. */
export type Contents = Readonly<Record<string, readonly string[]>>;

/** Every row as text; `leaveOut` names columns, as `table.column`, that may change without anybody's doing. */
export async function contents(superuserUrl: string, leaveOut: readonly string[] = []): Promise<Contents> {
  const tables = await query<{ name: string }>(
    superuserUrl,
    `select format('%I.%I', schemaname, tablename) as name from pg_tables
      where schemaname = 'skep' or (schemaname = 'graphile_worker' and tablename = '_private_jobs') order by 1`,
  );
  const parts = tables.map(({ name }) => {
    const without = leaveOut.filter(column => `skep.${column}`.startsWith(`${name}.`)).map(column => column.split('.')[1]);
    return `select '${name}' as name, array(select (to_jsonb(t) - '{${without.join(',')}}'::text[])::text as row from ${name} t order by 1) as rows`;
  });
  const found = await query<{ name: string; rows: string[] }>(superuserUrl, parts.join(' union all '));
  return Object.fromEntries(found.map(({ name, rows }) => [name, rows]));
}
