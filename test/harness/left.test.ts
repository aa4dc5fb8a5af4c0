import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { processInfo } from '../../src/kernel/processes/info.ts';
import { died, start } from './embedded.ts';
import { removeLeft, removeOwn } from './left.ts';
import { buildSkepOnce, endAll, skep, tempFolder } from './process.ts';

const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await endAll();
});

const isRunning = (pid: number) => processInfo(pid)?.zombie === false;

/** As a test file does it, in a process of its own that lives until it is killed. */
async function otherFile(): Promise<{ readonly child: ChildProcess; readonly folder: string; readonly pid: number }> {
  const here = (name: string) => JSON.stringify(join(import.meta.dirname, name));
  const text = `
    const { start } = await import(${here('embedded.ts')});
    const { tempFolder } = await import(${here('process.ts')});
    const folder = tempFolder();
    console.log(JSON.stringify({ folder, pid: (await start(folder + '/home')).pid }));
    setInterval(() => {}, 1000);`;
  const tsx = createRequire(import.meta.url).resolve('tsx');
  const argv = ['--import', tsx, '--input-type=module', '--eval', text];
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout })
      .once('line', resolve)
      .once('close', () => reject(new Error('it said nothing')));
  });
  return { child, ...(JSON.parse(line) as { folder: string; pid: number }) };
}

test('what a killed test file has left at work is ended and removed, and nothing of one that lives', async () => {
  const [killed, living] = await Promise.all([otherFile(), otherFile()]);
  killed.child.kill('SIGKILL');
  await died(killed.child);
  await removeLeft();
  expect([isRunning(killed.pid), existsSync(killed.folder)]).toEqual([false, false]);
  expect([isRunning(living.pid), existsSync(living.folder)]).toEqual([true, true]);
  living.child.kill('SIGKILL');
  await died(living.child);
  await removeLeft();
  expect([isRunning(living.pid), existsSync(living.folder)]).toEqual([false, false]);
});

test('the server of a test is ended before its database, which it would start again, and no other is', async () => {
  await buildSkepOnce();
  const [own, other] = [tempFolder(), tempFolder()];
  const servers = [own, other].map(home => skep(['server', '--json'], { SKEP_HOME: home, SKEP_PORT: '0' }));
  await Promise.all(servers.map(server => server.line(line => line['event'] === 'ready')));
  const databases = await Promise.all([own, other].map(async home => (await start(home)).pid));
  await removeOwn(own);
  expect(await servers[0]?.ended).toMatchObject({ signal: 'SIGKILL' });
  expect([...databases, servers[1]?.pid ?? 0].map(isRunning)).toEqual([false, true, true]);
});

test('a test ends with no database', async () => {
  const { pid } = await start(tempFolder());
  await endAll();
  expect(isRunning(pid)).toBe(false);
});
