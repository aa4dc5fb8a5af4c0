import { query } from './database.ts';

/** How much is stored: events, and rows that a request could make. */
export async function stored(superuserUrl: string): Promise<unknown> {
  const tables = ['events', 'projects', 'sessions', 'session_messages', 'specs', 'tickets', 'runs', 'tokens'];
  const found = await query<{ name: string }>(
    superuserUrl,
    `select table_name as name from information_schema.tables where table_schema = 'skep' and table_name = any ($1)`,
    [tables],
  );
  return query(superuserUrl, `select ${found.map(({ name }) => `(select count(*) from skep.${name}) as ${name}`).join(', ')}`);
}
