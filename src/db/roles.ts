/**
 * The three roles: the owner migrates, `app` serves requests, `engine` claims and sweeps. The passwords of the latter two are
 * derived from the owner's, so that every server with the same DATABASE_URL knows them and nothing has to be stored.
 *
 *   provisionEmbedded(server): Promise<string>   role and database `skep` of the embedded server → the owner's URL
 *   ensureRoles(ownerUrl): Promise<Roles>        makes app and engine where they are missing
 */
import { createHmac } from 'node:crypto';
import { type ClientBase, escapeIdentifier, escapeLiteral } from 'pg';
import { Fault } from '../kernel/fault.ts';
import { connectionFault, isLoginRefused, sqlState } from './server/connection-fault.ts';
import { scramVerifier } from './server/scram.ts';
import { withClient } from './server/session.ts';
import { parseDatabaseUrl, withLogin } from './server/url.ts';

export interface Roles {
  readonly ownerUrl: string;
  readonly appUrl: string;
  readonly engineUrl: string;
  readonly names: { readonly owner: string; readonly app: string; readonly engine: string };
}

interface Login {
  readonly name: string;
  readonly password: string;
  readonly url: string;
}

/** Keeps several starting servers from making the same role at once; any number that nothing else uses. */
const rolesLock = 7_305_815_300_001n;

/** Makes role and database `skep`. Idempotent; any number of processes may call it at once. */
export async function provisionEmbedded(server: { readonly superuserUrl: string }): Promise<string> {
  const { password } = parseDatabaseUrl(server.superuserUrl);
  const owner = loginOf(databaseUrl(server.superuserUrl, 'skep'), 'skep', derive(password, 'owner'));
  if ((await tryLogin(owner)) === undefined) return owner.url;
  await withClient(server.superuserUrl, async client => {
    await underLock(client, () => putRole(client, owner, 'LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS NOCREATEDB'));
    await createDatabase(client, owner.name);
  });
  const refused = await tryLogin(owner);
  if (refused) throw connectionFault(owner.url, refused);
  return owner.url;
}

/**
 * Makes sure that `<owner>_app` and `<owner>_engine` can log in with their derived passwords and hold no right that would let
 * them pass the tenant wall. A role that logs in is left as it is. Throws Fault `database_unusable` with the SQL to type where the
 * owner may not do that, `database_unavailable`, `invalid_config`.
 */
export async function ensureRoles(ownerUrl: string): Promise<Roles> {
  const { user, password } = parseDatabaseUrl(ownerUrl);
  if (password === '') throw noPassword();
  const logins = (['app', 'engine'] as const).map(part => loginOf(ownerUrl, roleName(user, part), derive(password, part)));
  const [app, engine] = logins as [Login, Login];
  if (await anyRefused(logins)) {
    await createRoles(ownerUrl, logins);
    for (const login of logins) {
      const refused = await tryLogin(login);
      if (refused) throw connectionFault(login.url, refused);
    }
  }
  for (const login of logins) await refuseStrong(login, user);
  return {
    ownerUrl: withLogin(ownerUrl, user, password),
    appUrl: app.url,
    engineUrl: engine.url,
    names: { owner: user, app: app.name, engine: engine.name },
  };
}

/** The password of a part, from its owner's: 43 characters that need no escaping anywhere. */
function derive(ownerPassword: string, part: 'owner' | 'app' | 'engine'): string {
  return createHmac('sha256', ownerPassword).update(`skep:${part}`).digest('base64url');
}

function loginOf(url: string, name: string, password: string): Login {
  return { name, password, url: withLogin(url, name, password) };
}

function roleName(owner: string, part: string): string {
  const name = `${owner}_${part}`;
  // Postgres would cut it silently, and both roles could become one.
  if (Buffer.byteLength(name) > 63)
    throw new Fault('invalid_config', { message: `The user in DATABASE_URL is too long: "${name}" has more than 63 bytes` });
  return name;
}

async function anyRefused(logins: readonly Login[]): Promise<boolean> {
  return (await Promise.all(logins.map(tryLogin))).some(refused => refused !== undefined);
}

/** The refusal, or undefined when the login works. Anything but a refusal is thrown as a Fault. */
async function tryLogin(login: Login): Promise<unknown> {
  try {
    await withClient(login.url, client => client.query('SELECT'));
    return undefined;
  } catch (error) {
    if (isLoginRefused(error) || sqlState(error) === '3D000') return error;
    throw connectionFault(login.url, error);
  }
}

async function createRoles(ownerUrl: string, logins: readonly Login[]): Promise<void> {
  const sql = logins.map(
    login => `CREATE ROLE ${escapeIdentifier(login.name)} LOGIN PASSWORD ${escapeLiteral(scramVerifier(login.password))};`,
  );
  try {
    await withClient(ownerUrl, client =>
      underLock(client, async () => {
        for (const login of logins) await putRole(client, login, 'LOGIN');
        await grantConnect(client, logins);
      }),
    );
  } catch (error) {
    if (sqlState(error) !== '42501') throw connectionFault(ownerUrl, error);
    const { user } = parseDatabaseUrl(ownerUrl);
    throw new Fault('database_unusable', {
      message: `User "${user}" may not make or change the roles ${logins.map(login => `"${login.name}"`).join(' and ')}`,
      hint: `As a superuser of that server: ${sql.join(' ')} (ALTER ROLE instead of CREATE ROLE for one that exists). Or: ALTER ROLE ${escapeIdentifier(user)} CREATEROLE;`,
      facts: { sql },
      cause: error,
    });
  }
}

/** One transaction that holds the lock; done again when another database's server changed the same role in that moment. */
async function underLock(client: ClientBase, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.query('BEGIN');
      await client.query('SELECT pg_advisory_xact_lock($1)', [rolesLock]);
      await work();
      await client.query('COMMIT');
      return;
    } catch (error) {
      await client.query('ROLLBACK');
      const raced = ['23505', '42710', 'XX000'].includes(sqlState(error) ?? '');
      if (!raced || attempt === 5) throw error;
    }
  }
}

async function putRole(client: ClientBase, login: Login, options: string): Promise<void> {
  const known = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [login.name]);
  const verb = known.rowCount === 0 ? 'CREATE' : 'ALTER';
  await client.query(
    `${verb} ROLE ${escapeIdentifier(login.name)} ${options} PASSWORD ${escapeLiteral(scramVerifier(login.password))}`,
  );
}

/** Everyone may connect unless an administrator has revoked it. */
async function grantConnect(client: ClientBase, logins: readonly Login[]): Promise<void> {
  const { rows } = await client.query<{ name: string }>('SELECT current_database() AS name');
  const database = escapeIdentifier(rows[0]?.name ?? '');
  for (const { name } of logins) {
    const { rows: rights } = await client.query<{ may: boolean }>(
      "SELECT has_database_privilege($1, current_database(), 'CONNECT') AS may",
      [name],
    );
    if (rights[0]?.may === false) await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${escapeIdentifier(name)}`);
  }
}

async function createDatabase(client: ClientBase, owner: string): Promise<void> {
  try {
    await client.query(`CREATE DATABASE skep OWNER ${escapeIdentifier(owner)}`);
  } catch (error) {
    // Another process was faster: 42P04 exists, 23505 in the same moment.
    if (!['42P04', '23505'].includes(sqlState(error) ?? '')) throw error;
  }
}

async function refuseStrong(login: Login, owner: string): Promise<void> {
  const { rows } = await withClient(login.url, client =>
    client.query<{ strong: string[] }>(
      `SELECT array_remove(ARRAY[
         CASE WHEN rolsuper THEN 'SUPERUSER' END, CASE WHEN rolbypassrls THEN 'BYPASSRLS' END,
         CASE WHEN rolcreaterole THEN 'CREATEROLE' END, CASE WHEN rolreplication THEN 'REPLICATION' END,
         CASE WHEN pg_has_role(rolname, $1, 'MEMBER') THEN 'member of the owner' END], NULL) AS strong
       FROM pg_roles WHERE rolname = current_user`,
      [owner],
    ),
  );
  const strong = rows[0]?.strong ?? [];
  if (strong.length === 0) return;
  const name = escapeIdentifier(login.name);
  throw new Fault('database_unusable', {
    message: `Role ${name} has more rights than it may have: ${strong.join(', ')}`,
    hint: `As a superuser of that server: ALTER ROLE ${name} NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION; REVOKE ${escapeIdentifier(owner)} FROM ${name};`,
    facts: { role: login.name, rights: strong },
  });
}

function noPassword(): Fault {
  return new Fault('invalid_config', {
    message: 'DATABASE_URL has no password, and Skep derives the passwords of its two other roles from it',
    hint: 'Give the role one (ALTER ROLE … PASSWORD) and write it into DATABASE_URL, even where the server would let the role in without.',
  });
}

function databaseUrl(url: string, database: string): string {
  const copy = new URL(url);
  copy.pathname = `/${database}`;
  return copy.href;
}
