import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { stopEmbedded } from '../../src/db/embedded/index.ts';
import { query, testDatabase, type TestDatabase } from '../harness/database.ts';
import { buildSkep, endAll, processesWith, skep, tempFolder } from '../harness/process.ts';

/** Each way in which a start is refused: the exit code, what was wrong, what to do about it, and that nothing is left behind. */
const isRoot = process.geteuid?.() === 0;
const nobody = 65_534;

let mayMount = false;
const homes: string[] = [];
const mounts: string[] = [];
const listeners: Server[] = [];
const databases: TestDatabase[] = [];

beforeAll(() => {
  buildSkep();
  mayMount = isRoot && succeeds(() => unmount(mount(tempFolder(), '1m')));
}, 120_000);

afterEach(async () => {
  for (const listener of listeners.splice(0)) listener.close();
  for (const home of homes.splice(0)) await stopEmbedded(home).catch(() => {});
  for (const folder of mounts.splice(0)) unmount(folder);
  await endAll();
  for (const database of databases.splice(0)) await database.close();
});

function makeHome(): string {
  const home = join(tempFolder(), 'home');
  homes.push(home);
  return home;
}

async function makeDatabase(): Promise<TestDatabase> {
  const database = await testDatabase();
  databases.push(database);
  return database;
}

/** What a command says that must not succeed; its log lines are left out. */
async function refusal(args: readonly string[], env: Record<string, string> = {}, before: readonly string[] = []) {
  const home = env['SKEP_HOME'] ?? makeHome();
  const started = skep([...args, '--json'], { SKEP_PORT: '0', SKEP_HOME: home, SKEP_LOG_LEVEL: 'silent', ...env }, before);
  const { code, stderr } = await started.ended;
  expect([args, started.lines.filter(line => line['event'] === 'ready')]).toEqual([args, []]);
  expect([args, processesWith(home)]).toEqual([args, []]);
  const said = JSON.parse(stderr.trim().split('\n').at(-1) ?? '') as { error: string; code: string; hint?: string };
  return { exit: code, stderr, ...said };
}

async function listenOn(server: Server): Promise<number> {
  listeners.push(server);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function mount(folder: string, size: string): string {
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder]);
  return folder;
}

function unmount(folder: string): void {
  execFileSync('umount', [folder]);
}

function succeeds(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

describe('the address', () => {
  test('a port in use: the process that has it is named, and the database that was started is stopped', async () => {
    const port = await listenOn(createServer());
    const home = makeHome();
    expect(await refusal(['server'], { SKEP_HOME: home, SKEP_PORT: String(port) })).toMatchObject({
      exit: 7,
      code: 'address_in_use',
      error: expect.stringMatching(new RegExp(`^Port ${port} of 127.0.0.1 is in use by .*\\b${process.pid}\\b`)) as string,
      hint: expect.stringContaining('--port') as string,
    });
    expect(existsSync(join(home, 'postgres/data/postmaster.pid'))).toBe(false);
  });

  test('a host that is none of this machine', async () => {
    const { ownerUrl } = await makeDatabase();
    for (const host of ['192.0.2.1', 'no-such-host.invalid']) {
      expect(await refusal(['server'], { SKEP_HOST: host, DATABASE_URL: ownerUrl })).toMatchObject({
        exit: 2,
        code: 'invalid_config',
        error: `${host} is no address of this machine`,
        hint: expect.stringContaining('127.0.0.1') as string,
      });
    }
  });

  test('a second `skep start` with the same home and port: it is refused, and the first works on with its database', async () => {
    const home = makeHome();
    const first = skep(['start', '--json'], { SKEP_HOME: home, SKEP_PORT: '0' });
    const { url, admin_token } = await first.line(line => line['event'] === 'ready');
    const second = skep(['start', '--json'], { SKEP_HOME: home, SKEP_PORT: new URL(String(url)).port });
    const { code, stderr } = await second.ended;
    expect([code, stderr]).toEqual([7, expect.stringMatching(/"code":"address_in_use"/)]);
    expect(stderr).toContain(`pid ${first.pid}`);
    expect((await fetch(`${String(url)}/ready`)).status).toBe(200);
    const made = await fetch(`${String(url)}/api/projects`, {
      method: 'POST',
      headers: { authorization: `Bearer ${String(admin_token)}`, 'content-type': 'application/json' },
      body: '{"name":"still here"}',
    });
    expect(made.status).toBe(201);
    await first.kill('SIGTERM');
    expect((await first.ended).code).toBe(0);
    expect(existsSync(join(home, 'postgres/data/postmaster.pid'))).toBe(false);
  });
});

describe('the folder', () => {
  test('a home that is a file, or lies below one', async () => {
    const file = join(tempFolder(), 'file');
    writeFileSync(file, 'x');
    for (const home of [file, join(file, 'below')]) {
      expect(await refusal(['server'], { SKEP_HOME: home })).toMatchObject({
        exit: 7,
        code: 'database_unusable',
        error: expect.stringContaining(file) as string,
        hint: expect.stringMatching(/\w+/) as string,
      });
    }
  });

  test('a data folder with something else in it: it is left as it is', async () => {
    const home = makeHome();
    mkdirSync(join(home, 'postgres/data'), { recursive: true });
    writeFileSync(join(home, 'postgres/data/letter.txt'), 'dear');
    expect(await refusal(['server'], { SKEP_HOME: home })).toMatchObject({
      exit: 7,
      code: 'database_unusable',
      error: expect.stringContaining('not empty') as string,
      hint: expect.stringMatching(/\w+/) as string,
    });
    expect(readdirSync(join(home, 'postgres/data'))).toEqual(['letter.txt']);
  });

  test.runIf(isRoot)('a home that this user may not write to', async () => {
    const home = makeHome();
    mkdirSync(home, { mode: 0o755 });
    chmodSync(join(home, '..'), 0o755);
    const asNobody = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
    for (const command of ['server', 'start']) {
      const said = await refusal([command], { SKEP_HOME: home }, asNobody);
      expect([command, said.exit, said.error, said.hint]).toEqual([
        command,
        7,
        expect.stringContaining(home),
        expect.stringMatching(/\w+/),
      ]);
    }
    expect(readdirSync(home)).toEqual([]);
  });

  test('a folder whose database another installation runs: it is named, and works on', async () => {
    const home = makeHome();
    const first = skep(['server', '--json'], { SKEP_HOME: home, SKEP_PORT: '0' });
    const { url } = await first.line(line => line['event'] === 'ready');
    writeFileSync(join(home, 'postgres/password'), 'not-the-one\n');
    const { code, stderr } = await skep(['server', '--json'], { SKEP_HOME: home, SKEP_PORT: '0' }).ended;
    expect([code, stderr]).toEqual([7, expect.stringMatching(/"code":"folder_in_use".*"hint":/)]);
    expect((await fetch(`${String(url)}/ready`)).status).toBe(200);
  });

  test('a disk that is full', async ({ skip }) => {
    if (!mayMount) skip('needs the right to mount');
    const small = mount(tempFolder(), '24m');
    mounts.push(small);
    chmodSync(small, 0o755);
    expect(await refusal(['server'], { SKEP_HOME: join(small, 'skep') })).toMatchObject({
      exit: 6,
      code: 'disk_full',
      hint: expect.stringMatching(/\w+/) as string,
    });
  });
});

describe('DATABASE_URL', () => {
  test.each([
    ['mysql://a:hush@127.0.0.1/x', 2, /DATABASE_URL is not valid: it does not begin with postgres/],
    ['postgres://a:hush@127.0.0.1:port/x', 2, /its port is not a number/],
    ['postgres://127.0.0.1/x', 2, /names no user/],
    ['postgres://a:hush@127.0.0.1', 2, /names no database/],
    ['postgres://a:hu/sh@127.0.0.1/x', 2, /DATABASE_URL is not valid/],
    ['postgres://a:hush@127.0.0.1:1/x', 6, /127\.0\.0\.1:1/],
    ['postgres://a:hush@no-such-host.invalid/x', 6, /no-such-host\.invalid/],
  ])('%s', async (url, exit, error) => {
    const said = await refusal(['server'], { DATABASE_URL: url });
    expect([said.exit, said.error, said.hint]).toEqual([exit, expect.stringMatching(error), expect.stringMatching(/\w+/)]);
    expect(said.stderr).not.toMatch(/hush|hu\/sh/);
  });

  test('what listens there is no PostgreSQL', async () => {
    const port = await listenOn(createHttpServer((_request, answer) => void answer.end('hello')));
    const said = await refusal(['server'], { DATABASE_URL: `postgres://a:hush@127.0.0.1:${port}/x` });
    expect([said.exit, said.hint]).toEqual([expect.toSatisfy(exit => exit === 6 || exit === 7), expect.stringMatching(/\w+/)]);
    expect(said.stderr).not.toContain('hush');
  });

  test('a wrong password, a database that is not there, a superuser, a role that does not own the database', async () => {
    const { ownerUrl, superuserUrl, appUrl } = await makeDatabase();
    const changed = (change: (url: URL) => void) => {
      const url = new URL(ownerUrl);
      change(url);
      return url.href;
    };
    const attempts: [string, RegExp][] = [
      [changed(url => (url.password = 'wrong-one')), /password/],
      [changed(url => (url.pathname = '/nowhere')), /nowhere/],
      [superuserUrl, /is a superuser, so nothing would keep tenants apart/],
      [appUrl, /does not own the database/],
    ];
    for (const [url, error] of attempts) {
      const said = await refusal(['server'], { DATABASE_URL: url });
      expect([said.exit, said.code, said.error]).toEqual([7, 'database_unusable', expect.stringMatching(error)]);
      expect(said.hint).toMatch(/\w+/);
      expect(said.stderr).not.toContain(decodeURIComponent(new URL(url).password));
    }
    expect(await query(superuserUrl, 'select * from skep.tenants')).toEqual([]);
  });
});

describe('settings', () => {
  test.each<[Record<string, string>, readonly string[], RegExp]>([
    [{ SKEP_PORT: 'abc' }, [], /SKEP_PORT: /],
    [{ SKEP_PORT: '65536' }, [], /SKEP_PORT: /],
    [{ SKEP_LOG_LEVEL: 'loud' }, [], /SKEP_LOG_LEVEL: /],
    [{ SKEP_LEASE_MS: '1' }, [], /SKEP_LEASE_MS: /],
    [{ SKEP_HEARTBEAT_MS: '10000' }, [], /SKEP_HEARTBEAT_MS: must be at most half of SKEP_LEASE_MS/],
    [{ SKEP_RUN_CPUS: '-1', SKEP_ATTEMPTS_MAX: 'many' }, [], /SKEP_ATTEMPTS_MAX: .*SKEP_RUN_CPUS: /],
    [{}, ['--port', '99999'], /99999/],
    [{}, ['--port', 'x'], /'x'/],
    [{}, ['--hots', 'x'], /--hots/],
  ])('%j %j', async (env, flags, error) => {
    const said = await refusal(['server', ...flags], env);
    expect([said.exit, said.error]).toEqual([2, expect.stringMatching(error)]);
  });

  test('without --json the same in words', async () => {
    const { code, stderr } = await skep(['server'], { SKEP_PORT: 'abc' }).ended;
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^error: SKEP_PORT: .*\n {2}hint: .*docs\/configuration\.md\n$/)]);
  });
});

describe('the sandbox', () => {
  /** In a mount namespace of its own nothing is where bubblewrap was. */
  const hidden = [
    'unshare',
    ...(isRoot ? [] : ['--user', '--map-root-user']),
    '--mount',
    'sh',
    '-c',
    'mount --bind /dev/null "$(command -v bwrap)" && exec "$@"',
    'sh',
  ];

  test('without bubblewrap start and worker refuse, and leave nothing', async () => {
    const home = makeHome();
    for (const command of ['start', 'worker']) {
      const said = await refusal([command], { SKEP_HOME: home, SKEP_TOKEN: 'x', SKEP_SERVER: 'http://127.0.0.1:1' }, hidden);
      expect([command, said.exit, said.code, said.error, said.hint]).toEqual([
        command,
        7,
        'sandbox_unavailable',
        expect.stringMatching(/bwrap|bubblewrap/),
        expect.stringMatching(/bubblewrap/),
      ]);
      expect(existsSync(join(home, 'postgres'))).toBe(false);
    }
  });

  test('without bubblewrap the server alone works', async () => {
    const { ownerUrl } = await makeDatabase();
    const server = skep(['server', '--json'], { SKEP_HOME: makeHome(), SKEP_PORT: '0', DATABASE_URL: ownerUrl }, hidden);
    const { url } = await server.line(line => line['event'] === 'ready');
    expect((await fetch(`${String(url)}/ready`)).status).toBe(200);
    await server.kill('SIGTERM');
    expect((await server.ended).code).toBe(0);
  });

  test('where an ordinary user may make no user namespaces, start and worker refuse and say how to allow it', async () => {
    const home = makeHome();
    mkdirSync(home, { mode: 0o700 });
    chmodSync(join(home, '..'), 0o755);
    const ordinary = isRoot ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'] : [];
    if (isRoot) chownSync(home, nobody, nobody);
    const forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps=-all --inh-caps=-all "$@"';
    const before = [...ordinary, 'unshare', '--user', '--map-current-user', '--keep-caps', 'sh', '-c', forbid, 'sh'];
    for (const command of ['start', 'worker']) {
      const said = await refusal([command], { SKEP_HOME: home, SKEP_TOKEN: 'x', SKEP_SERVER: 'http://127.0.0.1:1' }, before);
      expect([command, said.exit, said.code, said.hint]).toEqual([
        command,
        7,
        'sandbox_unavailable',
        expect.stringMatching(/user.?namespaces|userns/i),
      ]);
      expect(existsSync(join(home, 'postgres'))).toBe(false);
    }
  });
});

describe('a worker', () => {
  test('without a token, with a wrong one, with one of another role', async () => {
    const { ownerUrl } = await makeDatabase();
    const server = skep(['server', '--json'], { SKEP_HOME: makeHome(), SKEP_PORT: '0', DATABASE_URL: ownerUrl });
    const { url, admin_token } = await server.line(line => line['event'] === 'ready');
    const made = await fetch(`${String(url)}/api/tokens`, {
      method: 'POST',
      headers: { authorization: `Bearer ${String(admin_token)}`, 'content-type': 'application/json' },
      body: '{"name":"v","role":"viewer"}',
    });
    const { secret } = (await made.json()) as { secret: string };
    for (const [token, code, error] of [
      ['', 'unauthenticated', /A worker needs a token/],
      ['skep_wrong', 'unauthenticated', /The token is not valid/],
      [secret, 'forbidden', /A viewer token may not do that/],
    ] as const) {
      const said = await refusal(['worker'], { SKEP_SERVER: String(url), SKEP_TOKEN: token });
      expect([said.exit, said.code, said.error, said.hint]).toEqual([
        5,
        code,
        expect.stringMatching(error),
        expect.stringMatching(/token/),
      ]);
      expect(said.stderr).not.toContain(token || 'no token');
    }
  });

  test('a server address that is none', async () => {
    for (const url of ['ftp://127.0.0.1', '127.0.0.1:8080', 'http://']) {
      const said = await refusal(['worker'], { SKEP_SERVER: url, SKEP_TOKEN: 'x' });
      expect([url, said.exit, said.error]).toEqual([url, 2, expect.stringContaining('SKEP_SERVER')]);
    }
  });

  test.each([
    ['where nothing listens', undefined, /^http:\/\/127\.0\.0\.1:1 does not answer/],
    ['where something else answers', '<h1>hello</h1>', /is not one that this version knows/],
  ])('with an address %s tries on and says so, since a server may come back', async (_name, page, message) => {
    const other = createHttpServer((_request, answer) => void answer.writeHead(200, { 'content-type': 'text/html' }).end(page));
    const port = page === undefined ? 1 : await listenOn(other);
    const worker = skep(['worker', '--json'], {
      SKEP_HOME: makeHome(),
      SKEP_TOKEN: 'x',
      SKEP_SERVER: `http://127.0.0.1:${port}`,
    });
    const told = await worker.line(line => line['event'] === 'server_gone');
    expect(told['message']).toMatch(message);
    await worker.kill('SIGTERM');
    expect((await worker.ended).code).toBe(0);
  });
});
