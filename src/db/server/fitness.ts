import { escapeIdentifier } from 'pg';
import { Fault } from '../../kernel/fault.ts';
import { connectionFault } from './connection-fault.ts';
import { withClient } from './session.ts';

/** What Skep must know of a server before it trusts it with anything. */
export interface ServerFacts {
  /** Like `18.4`. */
  readonly version: string;
  readonly versionNum: number;
  readonly user: string;
  readonly database: string;
  readonly superuser: boolean;
  readonly bypassesRls: boolean;
  readonly ownsDatabase: boolean;
  readonly mayCreate: boolean;
  readonly encoding: string;
  readonly readOnly: boolean;
  /** Settings of durability that are off. */
  readonly volatile: readonly string[];
}

/** Asks the server. Throws Fault `database_unavailable` or `database_unusable` when it cannot be asked. */
export async function inspectServer(url: string): Promise<ServerFacts> {
  try {
    return await withClient(url, async client => {
      const { rows } = await client.query<ServerFacts>(question);
      const [facts] = rows;
      if (!facts) throw new Error('the server gave no answer about itself');
      return { ...facts, version: facts.version.split(' ')[0] ?? facts.version };
    });
  } catch (error) {
    throw connectionFault(url, error);
  }
}

/** Throws Fault `database_unusable` that says what is wrong and what to type. */
export function refuseUnfit(facts: ServerFacts): void {
  const reason = firstReason(facts);
  if (reason === undefined) return;
  const { version, user, database } = facts;
  throw new Fault('database_unusable', { message: reason.what, hint: reason.hint, facts: { version, user, database } });
}

/** Understood by every version that speaks the protocol, so that an old one is told what it is. */
const question = `
  SELECT current_setting('server_version') AS version,
    current_setting('server_version_num')::int AS "versionNum",
    current_user::text AS "user", d.datname::text AS database,
    r.rolsuper AS superuser, r.rolbypassrls AS "bypassesRls",
    pg_has_role(d.datdba, 'USAGE') AS "ownsDatabase",
    has_database_privilege(d.oid, 'CREATE') AS "mayCreate",
    current_setting('server_encoding') AS encoding,
    current_setting('transaction_read_only') = 'on' AS "readOnly",
    array_remove(ARRAY[
      CASE current_setting('fsync') WHEN 'off' THEN 'fsync' END,
      CASE current_setting('full_page_writes') WHEN 'off' THEN 'full_page_writes' END,
      CASE current_setting('synchronous_commit') WHEN 'off' THEN 'synchronous_commit' END], NULL) AS volatile
  FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()`;

function firstReason(facts: ServerFacts): { what: string; hint: string } | undefined {
  const database = escapeIdentifier(facts.database);
  const user = escapeIdentifier(facts.user);
  if (facts.versionNum < 150_000) {
    return {
      what: `The server is PostgreSQL ${facts.version}; Skep needs 15 or newer`,
      hint: 'Upgrade that server, or leave DATABASE_URL unset: Skep brings its own.',
    };
  }
  if (facts.readOnly)
    return {
      what: 'The server takes no writes (a standby, or read-only by default)',
      hint: 'Name the primary server in DATABASE_URL.',
    };
  if (facts.superuser || facts.bypassesRls) {
    const right = facts.superuser ? 'a superuser' : 'exempt from row-level security (BYPASSRLS)';
    return { what: `User ${user} is ${right}, so nothing would keep tenants apart`, hint: properOwner(database) };
  }
  if (!facts.ownsDatabase || !facts.mayCreate) {
    const what = `User ${user} ${facts.ownsDatabase ? 'may not create schemas in' : 'does not own'} the database ${database}`;
    const sql = facts.ownsDatabase
      ? `GRANT CREATE ON DATABASE ${database} TO ${user};`
      : `ALTER DATABASE ${database} OWNER TO ${user};`;
    return { what, hint: `As a superuser of that server: ${sql}` };
  }
  if (facts.encoding !== 'UTF8')
    return {
      what: `The database ${database} is encoded in ${facts.encoding}, not in UTF8`,
      hint: `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0;`,
    };
  return unsafe(facts);
}

function unsafe({ volatile }: ServerFacts): { what: string; hint: string } | undefined {
  if (volatile.length === 0) return undefined;
  const sql = volatile.map(name => `ALTER SYSTEM SET ${name} = on;`).join(' ');
  return {
    what: `The server may lose acknowledged work in a power cut: ${volatile.join(', ')} is off`,
    hint: `As a superuser of that server: ${sql} SELECT pg_reload_conf();`,
  };
}

function properOwner(database: string): string {
  return `As a superuser: CREATE ROLE skep LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD '…'; ALTER DATABASE ${database} OWNER TO skep; then name that role in DATABASE_URL.`;
}
