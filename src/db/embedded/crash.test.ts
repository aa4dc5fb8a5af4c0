import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { died, one, removeHomes, start, startElsewhere, tempHome, until } from '../../../test/harness/embedded.ts';
import { withClient } from '../server/session.ts';
import { processInfo } from '../../kernel/processes/info.ts';
import { systemClock } from '../../kernel/clock.ts';
import { clearEmbedded, stopEmbedded } from './index.ts';
import { livePostmaster, postgresIn, workersOn } from './pid-file.ts';
import { siteOf } from './place/folder.ts';

const children: ChildProcess[] = [];

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await removeHomes();
});

/** A folder with a database and no server, whose pid file will be made to lie. */
async function stoppedHome(): Promise<{ home: string; pidFile: string; lines: string[] }> {
  const home = tempHome();
  const { dataFolder } = await start(home);
  const pidFile = join(dataFolder, 'postmaster.pid');
  const lines = readFileSync(pidFile, 'utf8').split('\n');
  await stopEmbedded(home);
  return { home, pidFile, lines };
}

test('kill -9 of the server: the next start recovers every acknowledged row', async () => {
  const home = tempHome();
  const first = await start(home);
  await one(first.superuserUrl, 'CREATE TABLE acked AS SELECT generate_series(1, 1000) AS n');
  process.kill(first.pid, 'SIGKILL');
  const second = await start(home);
  expect(second).toMatchObject({ adopted: false, port: first.port });
  expect(second.pid).not.toBe(first.pid);
  expect(await one(second.superuserUrl, 'SELECT count(*)::int FROM acked')).toBe(1000);
});

test('kill -9 of the server while a child of it is stopped: the start waits for the child', async () => {
  const home = tempHome();
  const first = await start(home);
  const children = postgresIn(first.dataFolder).filter(({ backend }) => backend);
  const checkpointer = children.find(({ command }) => command.includes('checkpointer'))?.pid ?? 0;
  process.kill(checkpointer, 'SIGSTOP');
  process.kill(first.pid, 'SIGKILL');
  await until('the others have left', () => postgresIn(first.dataFolder).length === 1);
  const starting = start(home);
  process.kill(checkpointer, 'SIGCONT');
  expect(await starting).toMatchObject({ adopted: false });
});

test('a zombie in the pid file is not taken for a server', async () => {
  const { home, pidFile, lines } = await stoppedHome();
  // The shell becomes a program that never collects the child it has started: a true zombie.
  const parent = spawn('/bin/sh', ['-c', 'sleep 0.01 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(parent);
  const zombie = Number(await new Promise<string>(resolve => parent.stdout.once('data', chunk => resolve(String(chunk)))));
  await until('the child is a zombie', () => processInfo(zombie)?.zombie === true);
  writeFileSync(pidFile, [String(zombie), ...lines.slice(1)].join('\n'));
  expect(livePostmaster(join(home, 'postgres/data'))).toBeUndefined();
  expect(await start(home)).toMatchObject({ adopted: false });
  expect(processInfo(zombie)?.zombie).toBe(true);
});

test('a pid that another program has by now is not taken for a server', async () => {
  const { home, pidFile, lines } = await stoppedHome();
  const other = spawn('sleep', ['60'], { stdio: 'ignore' });
  children.push(other);
  writeFileSync(pidFile, [String(other.pid), ...lines.slice(1)].join('\n'));
  expect(await stopEmbedded(home)).toBe(false);
  expect(await start(home)).toMatchObject({ adopted: false });
  expect(other.exitCode).toBeNull();
});

test('a pid that a Postgres of another folder has by now is not taken for ours', async () => {
  const { home, pidFile, lines } = await stoppedHome();
  const neighbour = await start(tempHome());
  writeFileSync(pidFile, [String(neighbour.pid), ...lines.slice(1)].join('\n'));
  expect(await stopEmbedded(home)).toBe(false);
  const ours = await start(home);
  expect(ours).toMatchObject({ adopted: false });
  expect(ours.pid).not.toBe(neighbour.pid);
  expect(await one(neighbour.superuserUrl, 'SELECT 1')).toBe(1);
});

test('killed at the end of the first start: nothing half-made is used, and the draft is swept', async () => {
  const home = tempHome();
  const other = startElsewhere(home, { failpoints: 'embedded-before-rename:kill' });
  expect(await other.answer).toBeUndefined();
  await died(other.child);
  expect(readdirSync(join(home, 'postgres')).some(name => name.startsWith('data.init-'))).toBe(true);
  expect(await start(home)).toMatchObject({ adopted: false });
  expect(readdirSync(join(home, 'postgres')).sort()).toEqual(['data', 'password', 'port', 'server.log']);
});

test('killed in the middle of the first start: the next makes the database', async () => {
  const home = tempHome();
  const other = startElsewhere(home);
  const drafts = () =>
    (existsSync(join(home, 'postgres')) ? readdirSync(join(home, 'postgres')) : []).filter(name => name.startsWith('data.init-'));
  await until('initdb has begun', () => drafts().some(name => existsSync(join(home, 'postgres', name, 'PG_VERSION'))));
  other.child.kill('SIGKILL');
  await died(other.child);
  expect(existsSync(join(home, 'postgres/data'))).toBe(false);
  const server = await start(home);
  expect(server.adopted).toBe(false);
  expect(await one(server.superuserUrl, "SELECT count(*)::int FROM pg_database WHERE datname = 'postgres'")).toBe(1);
});

/** Patience is over twenty times as soon. */
const hurried = { ...systemClock, mono: () => systemClock.mono() * 20 };

test.each([false, true])('what a killed first start has left at work is ended, also where it is frozen: %s', async isFrozen => {
  const home = tempHome();
  const site = siteOf(home);
  const other = startElsewhere(home);
  await until('initdb is at work in its draft', () => workersOn(site).some(({ isAsked }) => !isAsked));
  const [initdb] = workersOn(site);
  if (isFrozen) process.kill(initdb?.pid ?? 0, 'SIGSTOP');
  other.child.kill('SIGKILL');
  await died(other.child);
  expect(workersOn(site)).toContainEqual(initdb);
  await clearEmbedded(home, hurried);
  expect(workersOn(site)).toEqual([]);
  rmSync(home, { recursive: true });
});

test('of a home that is to be removed a server is ended that is frozen', async () => {
  const home = tempHome();
  const { pid } = await start(home);
  process.kill(pid, 'SIGSTOP');
  await clearEmbedded(home, hurried);
  expect(workersOn(siteOf(home))).toEqual([]);
});

test('of a home that is to be removed a server is stopped, also one that nothing names, and no other', async () => {
  const [neighbour, named, nameless] = [await start(tempHome()), tempHome(), tempHome()];
  await start(named);
  const { dataFolder } = await start(nameless);
  rmSync(join(dataFolder, 'postmaster.pid'));
  for (const home of [named, nameless]) {
    await clearEmbedded(home);
    expect(workersOn(siteOf(home))).toEqual([]);
  }
  await clearEmbedded(named);
  expect(await one(neighbour.superuserUrl, 'SELECT 1')).toBe(1);
});

test('the lock of a dead process is broken', async () => {
  const home = tempHome();
  const gone = spawn('true');
  await died(gone);
  mkdirSync(join(home, 'postgres'));
  writeFileSync(join(home, 'postgres/start.lock'), `${gone.pid} 12345\n`);
  expect(await start(home)).toMatchObject({ adopted: false });
});

test('a remembered port that another program has taken meanwhile is given up', async () => {
  const { home } = await stoppedHome();
  const port = Number(readFileSync(join(home, 'postgres/port'), 'utf8'));
  const squatter = createServer();
  await new Promise<void>(resolve => squatter.listen(port, '127.0.0.1', resolve));
  const server = await start(home);
  squatter.close();
  expect(server.port).not.toBe(port);
});

test('stop ends sessions that are in the middle of something', async () => {
  const home = tempHome();
  const { superuserUrl } = await start(home);
  const cut = withClient(superuserUrl, async client => {
    await client.query('BEGIN; CREATE TABLE undone (n int)');
    const sleeping = client.query('SELECT pg_sleep(60)');
    const refused = sleeping.then(
      () => 'finished',
      () => 'cut',
    );
    expect(await stopEmbedded(home)).toBe(true);
    return refused;
  });
  expect(await cut).toBe('cut');
});
