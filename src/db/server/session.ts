import { Client, type ClientBase } from 'pg';

/**
 * Runs `work` on a connection of its own and closes it. Connecting and each statement are bounded by `timeoutMs`. What pg or
 * the system throws passes through unchanged.
 */
export async function withClient<T>(url: string, work: (client: ClientBase) => Promise<T>, timeoutMs = 5_000): Promise<T> {
  const client = new Client({
    connectionString: url,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs,
    application_name: 'skep',
  });
  // Without a listener a connection that is cut while idle ends the process; a query in flight gets the error by its promise.
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}
