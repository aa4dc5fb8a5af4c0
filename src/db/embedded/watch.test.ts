import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { one, removeHomes, start, tempHome, until } from '../../../test/harness/embedded.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import type { Lifecycle } from '../../kernel/loop.ts';
import { createWatch } from './index.ts';
import { livePostmaster, postgresIn } from './pid-file.ts';

const watches: Lifecycle[] = [];
afterEach(async () => {
  await Promise.all(watches.splice(0).map(watch => watch.stop()));
  await removeHomes();
});

async function watched(count = 1): Promise<{ home: string; data: string; url: string; pid: number; port: number }> {
  const home = tempHome();
  const { dataFolder: data, superuserUrl: url, pid, port } = await start(home);
  for (let made = 0; made < count; made++) {
    const watch = createWatch({ home, port, clock: systemClock, log: silentLog });
    watch.start();
    watches.push(watch);
  }
  return { home, data, url, pid, port };
}

const another = (data: string, pid: number) => {
  const found = livePostmaster(data);
  return found !== undefined && found.pid !== pid && found.status === 'ready';
};

test('kill -9 of the database: it is back at the same port in seconds, with every acknowledged row', async () => {
  const { data, url, pid, port } = await watched();
  await one(url, 'create table acked as select generate_series(1, 1000) as n');
  const killedAt = systemClock.mono();
  process.kill(pid, 'SIGKILL');
  await until('the next one is ready', () => another(data, pid), 15_000);
  expect(systemClock.mono() - killedAt).toBeLessThan(15_000);
  expect(livePostmaster(data)?.port).toBe(port);
  expect(await one(url, 'select count(*)::int from acked')).toBe(1_000);
});

test('three watch one home: one server comes back, again and again', async () => {
  const { data, url, pid } = await watched(3);
  let last = pid;
  for (let round = 0; round < 3; round++) {
    process.kill(last, 'SIGKILL');
    await until('the next one is ready', () => another(data, last), 15_000);
    last = livePostmaster(data)?.pid ?? 0;
    expect(await one(url, 'select 1')).toBe(1);
    // A process that it has just begun bears its name until it has one of its own.
    await until('there is one server', () => postgresIn(data).filter(({ backend }) => !backend).length === 1, 15_000);
  }
});

test('where the data are gone it makes no empty database', async () => {
  const { data, pid } = await watched();
  process.kill(pid, 'SIGSTOP');
  rmSync(data, { recursive: true, force: true });
  mkdirSync(data);
  process.kill(pid, 'SIGKILL');
  await systemClock.sleep(1_500);
  expect(readdirSync(join(data))).toEqual([]);
});

test('one that was stopped watches no more', async () => {
  const { data, pid } = await watched();
  await Promise.all(watches.splice(0).map(watch => watch.stop()));
  process.kill(pid, 'SIGKILL');
  await systemClock.sleep(1_000);
  expect(livePostmaster(data)).toBeUndefined();
});
