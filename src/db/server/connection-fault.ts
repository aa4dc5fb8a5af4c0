import { Fault } from '../../kernel/fault.ts';
import { parseDatabaseUrl } from './url.ts';

/** SQLSTATE or system code of what pg threw, if it has one. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Login refused for this role: wrong password, no such role, not allowed to log in, no rule for it, no right on the database. */
export function isLoginRefused(error: unknown): boolean {
  return ['28P01', '28000', '42501'].includes(sqlState(error) ?? '');
}

/** Turns what a failed connection threw into a Fault: `database_unavailable` when trying again may help, else `database_unusable`. */
export function connectionFault(url: string, error: unknown): Fault {
  const { host, port, user, database } = parseDatabaseUrl(url);
  const at = `${host}:${port}`;
  const code = sqlState(error) ?? '';
  const reason = reasonOf(error);
  const facts = { host, port, reason };
  const unusable = (message: string, hint: string) => new Fault('database_unusable', { message, hint, facts, cause: error });
  if (code === '28000' && /pg_hba/.test(reason)) {
    return unusable(
      `The database at ${at} has no rule that lets user "${user}" in: ${reason}`,
      'Add a line for it to pg_hba.conf of that server.',
    );
  }
  if (isLoginRefused(error)) {
    return unusable(
      `The database at ${at} refuses user "${user}": ${reason}`,
      'Correct the user and the password in DATABASE_URL.',
    );
  }
  if (code === '3D000') return unusable(`There is no database "${database}" at ${at}`, createDatabaseHint(database, user));
  if (/certificate|SSL|TLS|ALTNAME/i.test(`${code} ${reason}`)) {
    return unusable(
      `The database at ${at} cannot be trusted or spoken to over TLS: ${reason}`,
      'Set sslmode in DATABASE_URL: verify-full with sslrootcert=<file> for a private authority, disable where the network is safe.',
    );
  }
  return new Fault('database_unavailable', {
    message: `The database at ${at} does not answer: ${reason}`,
    hint: `Check that PostgreSQL runs at ${at} and can be reached from here, or correct DATABASE_URL.`,
    facts,
    cause: error,
  });
}

function createDatabaseHint(database: string, user: string): string {
  return `As a superuser of that server: CREATE DATABASE ${quoted(database)} OWNER ${quoted(user)};`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** One line for people. Several addresses of one name fail together, with an empty message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return [...new Set(error.errors.map(reasonOf))].join('; ');
  const text = error instanceof Error ? error.message : String(error);
  if (sqlState(error) === 'ECONNREFUSED') return 'nothing listens there (connection refused)';
  if (sqlState(error) === 'ENOTFOUND') return 'the host name is unknown';
  if (/timeout expired|Query read timeout|ETIMEDOUT/.test(text)) return 'no answer in 5 seconds';
  return text.split('\n')[0] || (sqlState(error) ?? 'unknown reason');
}
