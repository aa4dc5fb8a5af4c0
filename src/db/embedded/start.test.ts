import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { died, one, removeHomes, start, startElsewhere, tempHome } from '../../../test/harness/embedded.ts';
import { isSameProcess, processInfo } from '../../kernel/processes/info.ts';
import { stopEmbedded } from './index.ts';
import { embeddedVersion } from './place/binaries.ts';

afterEach(removeHomes);

test('makes, stops, starts again and keeps the rows, the port and the password', async () => {
  const home = tempHome();
  const first = await start(home);
  expect(first).toMatchObject({ adopted: false, dataFolder: join(home, 'postgres/data') });
  await one(first.superuserUrl, 'CREATE TABLE kept AS SELECT 7 AS n');
  expect(await stopEmbedded(home)).toBe(true);
  expect(processInfo(first.pid)?.zombie ?? true).toBe(true);
  expect(await stopEmbedded(home)).toBe(false);
  const second = await start(home);
  expect(second).toMatchObject({ adopted: false, port: first.port, superuserUrl: first.superuserUrl });
  expect(await one(second.superuserUrl, 'SELECT n FROM kept')).toBe(7);
});

test('is durable, local, in UTF-8 and asks for the password', async () => {
  const home = tempHome();
  const { superuserUrl, pid } = await start(home);
  const settings = `SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings WHERE name IN
    ('fsync','full_page_writes','synchronous_commit','listen_addresses','unix_socket_directories','server_encoding','data_checksums')`;
  expect(await one(superuserUrl, settings)).toBe(
    'data_checksums=on fsync=on full_page_writes=on listen_addresses=127.0.0.1 server_encoding=UTF8 synchronous_commit=on unix_socket_directories=',
  );
  await expect(one(superuserUrl.replace(/:[^:@]+@/, ':wrong@'), 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  const password = readFileSync(join(home, 'postgres/password'), 'utf8').trim();
  expect(statSync(join(home, 'postgres/password')).mode & 0o777).toBe(0o600);
  expect(password).toMatch(/^[\w-]{43}$/);
  const seen = readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8');
  expect(seen).not.toContain(password);
});

test('a server outlives the process that started it; the next adopts it and stops it', async () => {
  const home = tempHome();
  const other = startElsewhere(home);
  const theirs = await other.answer;
  expect(theirs).toMatchObject({ adopted: false });
  other.child.kill('SIGKILL');
  await died(other.child);
  const ours = await start(home);
  expect(ours).toMatchObject({ adopted: true, pid: theirs?.['pid'], port: theirs?.['port'] });
  const session = readFileSync(`/proc/${ours.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[3];
  expect(session).toBe(String(ours.pid));
  expect(await stopEmbedded(home)).toBe(true);
});

test('three processes that start at once: one makes the database, all use the same server', async () => {
  const home = tempHome();
  const others = [startElsewhere(home), startElsewhere(home), startElsewhere(home)];
  const answers = await Promise.all(others.map(({ answer }) => answer));
  for (const { child } of others) child.stdin?.end();
  expect(answers.filter(answer => answer?.['adopted'] === false)).toHaveLength(1);
  expect(new Set(answers.map(answer => answer?.['pid'])).size).toBe(1);
});

test('calls at once in one process share one server too', async () => {
  const home = tempHome();
  const servers = await Promise.all([start(home), start(home), start(home)]);
  expect(servers.filter(({ adopted }) => adopted)).toHaveLength(2);
  expect(new Set(servers.map(({ pid }) => pid)).size).toBe(1);
});

test('a process knows another by its start, not by its number alone', () => {
  const start = processInfo(process.pid)?.start ?? '';
  expect(isSameProcess(process.pid, start)).toBe(true);
  expect(isSameProcess(process.pid, `${start}1`)).toBe(false);
});

test('the version named in hints is the one that package.json pins', () => {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  expect(new Set(Object.values(manifest.optionalDependencies))).toEqual(new Set([embeddedVersion]));
});
