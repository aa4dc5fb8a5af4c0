import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../kernel/clock.ts';
import { isFault } from '../../../kernel/fault.ts';
import { installAgent } from './install.ts';
import { createInstalls } from './installs.ts';
import { holding, thisProcess } from './lock.ts';
import { installables, lockedPackages, lockText, packages } from './packages.ts';

let folder: string;
let registry: Server;
let asked: string[];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skep-agents-'));
  asked = [];
  registry = createServer((request, response) => serve(request.url ?? '', body => response.end(body)));
  await new Promise<void>(resolve => registry.listen(0, '127.0.0.1', resolve));
  process.env['npm_config_registry'] = registryUrl();
  process.env['npm_config_fetch_retries'] = '0';
  process.env['npm_config_cache'] = join(folder, 'npm-cache');
});
afterEach(async () => {
  for (const name of ['registry', 'fetch_retries', 'cache']) delete process.env[`npm_config_${name}`];
  registry.closeAllConnections();
  await new Promise(resolve => registry.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

const registryUrl = () => `http://ann:pass@127.0.0.1:${(registry.address() as AddressInfo).port}/`;
const install = () => installAgent('codex', { folder, clock: systemClock, onStep: step => asked.push(step) });
const left = () => readdirSync(folder).filter(name => name !== 'npm-cache');

/** Serves any package at the versions that are wanted, with other bytes than were published. */
function serve(url: string, send: (body: string | Buffer) => void): void {
  if (url.endsWith('.tgz')) return send(gzipSync('not what was published'));
  const name = decodeURIComponent(url.slice(1));
  const versions = Object.values(lockedPackages(lockText('codex'))).flatMap(({ version, integrity }) =>
    version === undefined
      ? []
      : [[version, { name, version, dist: { tarball: `${registryUrl()}x-${version}.tgz`, integrity } }] as const],
  );
  send(JSON.stringify({ name, 'dist-tags': {}, versions: Object.fromEntries(versions) }));
}

describe('an install', () => {
  it('of other bytes than were written down is refused, and nothing of it is left', async () => {
    const refused = await install().catch((error: unknown) => error);
    expect(isFault(refused, 'failed') && refused.message).toMatch(/codex could not be installed: .*EINTEGRITY/);
    expect(isFault(refused) && refused.hint).toMatch(/not what was published/);
    expect(String(refused)).not.toContain('pass');
    expect(left()).toEqual(['codex']);
    expect(readdirSync(join(folder, 'codex'))).toEqual([]);
  });

  it('without a network says so', async () => {
    registry.closeAllConnections();
    const url = registryUrl();
    await new Promise(resolve => registry.close(resolve));
    process.env['npm_config_registry'] = url;
    const refused = await install().catch((error: unknown) => error);
    expect(isFault(refused) && refused.hint).toMatch(/needs the npm registry/);
    expect(isFault(refused) && refused.message).toContain('ECONNREFUSED');
    registry.listen(0, '127.0.0.1');
  });

  it('removes what a killed one has left, and nothing of a living one', async () => {
    mkdirSync(join(folder, 'draft~999999999.1~a/node_modules'), { recursive: true });
    mkdirSync(join(folder, `draft~${thisProcess()}~b`));
    await install().catch(() => {});
    expect(left()).toEqual(['codex', `draft~${thisProcess()}~b`]);
  });

  it('is not made where it is there', async () => {
    const there = join(folder, 'codex', packages.codex.version);
    mkdirSync(join(there, packages.codex.program, '..'), { recursive: true });
    expect(createInstalls(folder).find('codex')).toBeUndefined();
    writeFileSync(join(there, packages.codex.program), '');
    expect(await install()).toBe(there);
    expect(asked).toEqual([]);
    expect(createInstalls(folder).needs('codex')).toMatchObject({ kind: 'met', gateway: true });
    expect(createInstalls(folder).needs('pi')).toEqual({
      kind: 'missing',
      message: expect.stringContaining('skep agent install pi') as string,
    });
  });

  it('is one at a time, and what a dead process holds is taken over', async () => {
    const file = join(folder, 'x.lock');
    writeFileSync(file, '999999999.1');
    const order: string[] = [];
    const wait = { clock: systemClock, waitMsMax: 5_000, onWait: () => order.push('waits') };
    let finish: (waited: number) => void = () => {};
    const first = holding(file, wait, () => new Promise<number>(resolve => void (finish = resolve)));
    const second = holding(file, { ...wait, onWait: () => finish(order.push('waits')) }, async () => order.push('second'));
    await Promise.all([first.then(() => order.push('first')), second]);
    expect(order).toEqual(['waits', 'first', 'second']);
    expect(existsSync(file)).toBe(false);
    writeFileSync(file, thisProcess());
    await expect(holding(file, { ...wait, waitMsMax: 0 }, async () => {})).rejects.toThrow('for too long');
  });
});

describe('what is written down', () => {
  it.each(installables)('pins every package of %s by version and sha512', kind => {
    const { '': root, ...locked } = lockedPackages(lockText(kind));
    const { name, version } = packages[kind];
    expect({ ...root?.dependencies, ...root?.optionalDependencies }).toMatchObject({ [name]: version });
    expect(locked[`node_modules/${name}`]?.version).toBe(version);
    expect(Object.entries(locked).filter(([, { integrity }]) => integrity?.startsWith('sha512-') !== true)).toEqual([]);
  });
});
