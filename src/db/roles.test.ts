import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { one } from '../../test/harness/embedded.ts';
import { debianPostgres, embeddedForTests, type TestServer } from '../../test/harness/postgres.ts';
import { ensureRoles, provisionEmbedded } from './roles.ts';
import { scramVerifier } from './server/scram.ts';
import { withClient } from './server/session.ts';
import { withLogin } from './server/url.ts';

const servers = [
  ['embedded 18', embeddedForTests],
  ['Debian 15', debianPostgres],
] as const;

describe.each(servers)('on %s', (_name, begin) => {
  let server: TestServer | undefined;
  let count = 0;

  beforeAll(async () => {
    server = await begin();
  });

  afterAll(async () => {
    await server?.stop();
  });

  function superuserUrl(): string {
    if (server === undefined) throw new Error('this server is not installed');
    return server.superuserUrl;
  }

  /** A role of its own for a test, with a database that it owns. */
  async function newOwner({ name = `owner${++count}`, options = 'CREATEROLE' } = {}): Promise<string> {
    const quoted = `"${name.replaceAll('"', '""')}"`;
    await asSuperuser(`CREATE ROLE ${quoted} LOGIN ${options} PASSWORD 'p@ss/word'`, `CREATE DATABASE ${quoted} OWNER ${quoted}`);
    const url = new URL(withLogin(superuserUrl(), name, 'p@ss/word'));
    url.pathname = `/${encodeURIComponent(name)}`;
    return url.href;
  }

  async function asSuperuser(...sql: string[]): Promise<void> {
    await withClient(superuserUrl(), async client => {
      for (const text of sql) await client.query(text);
    });
  }

  test('makes two roles that log in and have no right to speak of', async ({ skip }) => {
    if (server === undefined) skip('not installed');
    const { appUrl, engineUrl, names } = await ensureRoles(await newOwner());
    const rights =
      'SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles WHERE rolname = current_user';
    expect(await one(appUrl, 'SELECT current_user')).toBe(names.app);
    expect(await one(engineUrl, 'SELECT current_user')).toBe(names.engine);
    expect([await one(appUrl, rights), await one(engineUrl, rights)]).toEqual([false, false]);
    expect(await one(appUrl, 'SHOW application_name')).toBe('skep');
    await expect(one(appUrl, `SET ROLE ${names.owner}`)).rejects.toMatchObject({ code: '42501' });
  });

  test('a second call changes nothing; a changed owner password changes both', async ({ skip }) => {
    if (server === undefined) skip('not installed');
    const ownerUrl = await newOwner();
    const before = await ensureRoles(ownerUrl);
    const stored = `SELECT string_agg(rolpassword, ' ' ORDER BY rolname) FROM pg_authid WHERE rolname LIKE '${before.names.owner}\\_%'`;
    const verifiers = await one(superuserUrl(), stored);
    expect(await ensureRoles(ownerUrl)).toEqual(before);
    expect(await one(superuserUrl(), stored)).toBe(verifiers);
    await asSuperuser(`ALTER ROLE ${before.names.owner} PASSWORD 'another'`);
    const after = await ensureRoles(withLogin(ownerUrl, before.names.owner, 'another'));
    expect(after.appUrl).not.toBe(before.appUrl);
    expect(await one(after.engineUrl, 'SELECT 1')).toBe(1);
  });

  test('eight servers that start at once agree', async ({ skip }) => {
    if (server === undefined) skip('not installed');
    const ownerUrl = await newOwner();
    const roles = await Promise.all(Array.from({ length: 8 }, () => ensureRoles(ownerUrl)));
    expect(new Set(roles.map(({ appUrl }) => appUrl)).size).toBe(1);
    expect(await one(roles[0]?.appUrl ?? '', 'SELECT 1')).toBe(1);
  });

  test('names with odd characters are quoted everywhere', async ({ skip }) => {
    if (server === undefined) skip('not installed');
    const { appUrl, names } = await ensureRoles(await newOwner({ name: 'Ödd "na\'me" %41 x' }));
    expect(names.app).toBe('Ödd "na\'me" %41 x_app');
    expect(await one(appUrl, 'SELECT current_user')).toBe(names.app);
  });

  test('the server never sees a clear password, in a statement or in its log', async ({ skip }) => {
    if (server === undefined) skip('not installed');
    const ownerUrl = await newOwner();
    await asSuperuser("ALTER SYSTEM SET log_statement = 'all'", 'SELECT pg_reload_conf()');
    const { appUrl, engineUrl } = await ensureRoles(ownerUrl);
    const log = await one(superuserUrl(), "SELECT current_setting('data_directory')");
    const text = readFileSync(String(log).replace(/data$/, server?.version === 15 ? 'log' : 'server.log'), 'utf8');
    expect(text).toMatch(/CREATE ROLE .*_app" LOGIN PASSWORD 'SCRAM-SHA-256\$4096/);
    for (const url of [appUrl, engineUrl]) expect(text).not.toContain(new URL(url).password);
    await asSuperuser('ALTER SYSTEM RESET log_statement', 'SELECT pg_reload_conf()');
  });

  test('an owner without CREATEROLE is given SQL that works when a superuser types it', async ({ skip }) => {
    if (server === undefined) skip('not installed');
    const ownerUrl = await newOwner({ options: 'NOCREATEROLE' });
    const refused = await ensureRoles(ownerUrl).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'database_unusable',
      hint: expect.stringMatching(/CREATE ROLE .*SCRAM-SHA-256/) as string,
    });
    const { sql } = (refused as { facts: { sql: string[] } }).facts;
    await asSuperuser(...sql);
    const { appUrl } = await ensureRoles(ownerUrl);
    expect(await one(appUrl, 'SELECT 1')).toBe(1);
  });

  test('a role of ours that somebody has made strong is refused', async ({ skip }) => {
    if (server === undefined) skip('not installed');
    const ownerUrl = await newOwner();
    const { names } = await ensureRoles(ownerUrl);
    await asSuperuser(`ALTER ROLE ${names.engine} BYPASSRLS`);
    await expect(ensureRoles(ownerUrl)).rejects.toMatchObject({
      code: 'database_unusable',
      message: expect.stringMatching(/BYPASSRLS/) as string,
    });
    await asSuperuser(`ALTER ROLE ${names.engine} NOBYPASSRLS`);
    // From 16 on the maker of a role is its member, and Postgres itself refuses the circle.
    if (server?.version !== 15) return;
    await asSuperuser(`GRANT ${names.owner} TO ${names.app}`);
    await expect(ensureRoles(ownerUrl)).rejects.toMatchObject({
      code: 'database_unusable',
      message: expect.stringMatching(/member of the owner/) as string,
    });
  });

  test('a database from which everyone was shut out is opened for both', async ({ skip }) => {
    if (server === undefined) skip('not installed');
    const ownerUrl = await newOwner();
    await asSuperuser(`REVOKE CONNECT ON DATABASE owner${count} FROM PUBLIC`);
    const { engineUrl } = await ensureRoles(ownerUrl);
    expect(await one(engineUrl, 'SELECT 1')).toBe(1);
  });

  test('provisioning makes owner and database once, however many ask', async ({ skip }) => {
    if (server === undefined) skip('not installed');
    const urls = await Promise.all(Array.from({ length: 4 }, () => provisionEmbedded({ superuserUrl: superuserUrl() })));
    expect(new Set(urls).size).toBe(1);
    const owner =
      "SELECT rolsuper = false AND rolcreaterole AND NOT rolbypassrls AND pg_get_userbyid(datdba) = 'skep' FROM pg_roles, pg_database WHERE rolname = current_user AND datname = 'skep'";
    expect(await one(urls[0] ?? '', owner)).toBe(true);
    const { appUrl } = await ensureRoles(urls[0] ?? '');
    expect(await one(appUrl, 'SELECT current_database()')).toBe('skep');
  });
});

test('the verifier is the one that RFC 7677 gives for its example', () => {
  // user/pencil, salt W22ZaJ0SNY7soEsUEjb6gQ==, 4096 rounds; the exchange of the RFC ends with the signature made from this ServerKey.
  const verifier = scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'));
  expect(verifier).toBe(
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
});

test('a password that SASLprep might change is refused', () => {
  expect(() => scramVerifier('pässword')).toThrow(/ASCII/);
});

test('a URL without a password is refused: there is nothing to derive from', async () => {
  await expect(ensureRoles('postgres://me@localhost/skep')).rejects.toMatchObject({
    code: 'invalid_config',
    hint: expect.stringMatching(/ALTER ROLE/) as string,
  });
});

test('a user whose roles would be cut to the same name is refused', async () => {
  await expect(ensureRoles(`postgres://${'x'.repeat(60)}:p@localhost/skep`)).rejects.toMatchObject({ code: 'invalid_config' });
});
