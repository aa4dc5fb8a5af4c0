import { createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { one, removeHomes, tempHome } from '../../test/harness/embedded.ts';
import { debianPostgres, embeddedForTests, type TestServer } from '../../test/harness/postgres.ts';
import { systemClock } from '../kernel/clock.ts';
import { silentLog } from '../kernel/log.ts';
import { type Database, resolveDatabase } from './connect.ts';
import { refuseUnfit, type ServerFacts } from './server/fitness.ts';
import { withClient } from './server/session.ts';
import { parseDatabaseUrl, withLogin } from './server/url.ts';

function resolve(databaseUrl?: string, home = '/nowhere'): Promise<Database> {
  return resolveDatabase({ databaseUrl, home, clock: systemClock, log: silentLog });
}

describe('embedded', () => {
  afterAll(removeHomes);

  test('without DATABASE_URL the embedded server is started, provisioned and stopped', async () => {
    const home = tempHome();
    const database = await resolve(undefined, home);
    expect(database).toMatchObject({
      kind: 'embedded',
      version: '18.4',
      names: { owner: 'skep', app: 'skep_app', engine: 'skep_engine' },
    });
    expect(await one(database.engineUrl, "SELECT current_user || '@' || current_database()")).toBe('skep_engine@skep');
    expect(await resolve(undefined, home)).toMatchObject({ ownerUrl: database.ownerUrl });
    await database.stop();
    await expect(one(database.appUrl, 'SELECT 1')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await database.stop();
  });
});

describe('a URL that cannot be read', () => {
  test.each([
    ['', 'it is empty'],
    ['mysql://me:hunter2@db/skep', 'does not begin with postgres://'],
    ['me:hunter2@db/skep', 'does not begin with postgres://'],
    ['postgres://me:hunter2@db:54x/skep', 'its port is not a number'],
    ['postgres://me:hunter2@db:99999/skep', 'its port is not a number'],
    ['postgres://me:hun/ter2@db/skep', 'characters like / ? #'],
    ['postgres://me:hunter2%zz@db/skep', 'its password is not percent-encoded'],
    ['postgres://me:hunter2@db', 'it names no database'],
    ['postgres://:hunter2@db/skep', 'it names no user'],
    ['postgres://me:hunter2@db/what%3F', 'the name of its database'],
    ['postgres:///skep?user=me&password=hunter2', 'it names no host'],
  ])('%s', async (url, why) => {
    const error = await resolve(url).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'invalid_config', message: expect.stringContaining(why) as string });
    const shown = `${(error as Error).stack} ${JSON.stringify(error)} ${(error as { hint?: string }).hint}`;
    expect(shown).not.toMatch(/hunter2|hun\/ter2/);
  });
});

test('a unix socket, an IPv6 address and options are understood and kept', () => {
  expect(parseDatabaseUrl('postgres:///skep?host=/run/pg&user=me&password=p')).toMatchObject({
    host: '/run/pg',
    user: 'me',
    password: 'p',
  });
  expect(parseDatabaseUrl('postgresql://me:p%40@[::1]:6432/skep')).toEqual({
    host: '::1',
    port: 6432,
    user: 'me',
    password: 'p@',
    database: 'skep',
  });
  expect(withLogin('postgres://a:b@db/skep?sslmode=verify-full', 'x y', 'p@')).toBe(
    'postgres://x%20y:p%40@db/skep?sslmode=verify-full&application_name=skep',
  );
  expect(parseDatabaseUrl(withLogin('postgres:///skep?host=/run/pg&user=me&password=p', 'x y', 'q'))).toMatchObject({
    host: '/run/pg',
    user: 'x y',
    password: 'q',
  });
});

describe('a server that cannot be reached', () => {
  test('nobody listens', async () => {
    await expect(resolve('postgres://me:p@127.0.0.1:1/skep')).rejects.toMatchObject({
      code: 'database_unavailable',
      message: expect.stringMatching(/127\.0\.0\.1:1 does not answer: nothing listens/) as string,
      facts: { host: '127.0.0.1', port: 1 },
    });
  });

  test('no such host', async () => {
    await expect(resolve('postgres://me:p@db.invalid/skep')).rejects.toMatchObject({
      code: 'database_unavailable',
      facts: { host: 'db.invalid' },
    });
  });

  test('it takes the connection and never speaks: given up after 5 seconds', async () => {
    const silent = createServer(() => {});
    const port = await new Promise<number>(done => {
      silent.listen(0, '127.0.0.1', () => done((silent.address() as { port: number }).port));
    });
    await expect(resolve(`postgres://me:p@127.0.0.1:${port}/skep`)).rejects.toMatchObject({
      code: 'database_unavailable',
      message: expect.stringMatching(/no answer in 5 seconds/) as string,
    });
    silent.close();
  }, 10_000);
});

describe.each([
  ['embedded 18', 18, embeddedForTests],
  ['Debian 15', 15, debianPostgres],
] as const)('a server of your own: %s', (_name, major, begin) => {
  let server: TestServer | undefined;

  beforeAll(async () => {
    server = await begin();
    await sql(
      "CREATE ROLE good LOGIN CREATEROLE PASSWORD 'g'",
      'CREATE DATABASE good OWNER good',
      "CREATE ROLE poor LOGIN PASSWORD 'p'",
      'CREATE DATABASE latin OWNER good ENCODING LATIN1 LOCALE "C" TEMPLATE template0',
      "CREATE ROLE bypass LOGIN BYPASSRLS PASSWORD 'b'",
      "CREATE ROLE hasty LOGIN CREATEROLE PASSWORD 'h'",
      'ALTER ROLE hasty SET synchronous_commit = off',
      'CREATE DATABASE hasty OWNER hasty',
    );
  });

  afterAll(async () => {
    await server?.stop();
  });

  async function sql(...texts: string[]): Promise<void> {
    if (!server) return;
    await withClient(server.superuserUrl, async client => {
      for (const text of texts)
        await client.query(
          text.replace('LOCALE "C" TEMPLATE', major === 18 ? "LOCALE 'C' LOCALE_PROVIDER libc TEMPLATE" : "LOCALE 'C' TEMPLATE"),
        );
    });
  }

  function urlFor(user: string, password: string, database: string): string {
    const url = new URL(withLogin(server?.superuserUrl ?? '', user, password));
    url.pathname = `/${database}`;
    return url.href;
  }

  test('is used, and not stopped', async ({ skip }) => {
    if (!server) {
      skip('not installed');
      return;
    }
    const database = await resolve(urlFor('good', 'g', 'good'));
    expect(database).toMatchObject({
      kind: 'server',
      version: expect.stringMatching(`^${major}\\.`) as string,
      names: { app: 'good_app' },
    });
    await database.stop();
    expect(await one(database.appUrl, 'SELECT 1')).toBe(1);
  });

  test.each([
    ['a wrong password', ['good', 'no', 'good'], /refuses user "good"/, /DATABASE_URL/],
    ['an unknown user', ['who', 'no', 'good'], /refuses user "who"/, /DATABASE_URL/],
    ['an unknown database', ['good', 'g', 'none'], /no database "none"/, /CREATE DATABASE "none" OWNER "good"/],
    [
      'somebody else’s database',
      ['poor', 'p', 'good'],
      /"poor" does not own the database "good"/,
      /ALTER DATABASE "good" OWNER TO "poor"/,
    ],
    ['BYPASSRLS', ['bypass', 'b', 'good'], /BYPASSRLS/, /CREATE ROLE skep LOGIN CREATEROLE/],
    ['another encoding', ['good', 'g', 'latin'], /LATIN1/, /UTF8/],
    ['synchronous_commit off', ['hasty', 'h', 'hasty'], /synchronous_commit is off/, /ALTER/],
  ] as const)('%s is refused with what to do', async (...row) => {
    const [, login, message, hint] = row;
    if (!server) return;
    await expect(resolve(urlFor(login[0], login[1], login[2]))).rejects.toMatchObject({
      code: 'database_unusable',
      message: expect.stringMatching(message) as string,
      hint: expect.stringMatching(hint) as string,
    });
  });

  test('a superuser is refused', async ({ skip }) => {
    if (!server) {
      skip('not installed');
      return;
    }
    await expect(resolve(server.superuserUrl)).rejects.toMatchObject({
      code: 'database_unusable',
      message: expect.stringMatching(/superuser/) as string,
    });
  });
});

test('a server that may lose what it has acknowledged is refused', async ({ skip }) => {
  const server = await debianPostgres(['fsync=off', 'full_page_writes=off']);
  if (!server) {
    skip('not installed');
    return;
  }
  await withClient(server.superuserUrl, async client => {
    await client.query("CREATE ROLE good LOGIN CREATEROLE PASSWORD 'g'");
    await client.query('CREATE DATABASE good OWNER good');
  });
  const url = withLogin(server.superuserUrl.replace(/postgres$/, 'good'), 'good', 'g');
  await expect(resolve(url)).rejects.toMatchObject({
    code: 'database_unusable',
    message: expect.stringMatching(/fsync, full_page_writes/) as string,
  });
  await server.stop();
});

test('an old server and a standby are refused by name', () => {
  const fit: ServerFacts = {
    version: '18.4',
    versionNum: 180_004,
    user: 'skep',
    database: 'skep',
    superuser: false,
    bypassesRls: false,
    ownsDatabase: true,
    mayCreate: true,
    encoding: 'UTF8',
    readOnly: false,
    volatile: [],
  };
  expect(() => refuseUnfit(fit)).not.toThrow();
  expect(() => refuseUnfit({ ...fit, version: '14.9', versionNum: 140_009 })).toThrow(/PostgreSQL 14\.9; Skep needs 15/);
  expect(() => refuseUnfit({ ...fit, readOnly: true })).toThrow(/takes no writes/);
});
