import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { armFailpoints, failpoint, failpointsOfServer, failpointsOfWorker } from './failpoint.ts';

afterEach(() => armFailpoints(''));

const root = join(import.meta.dirname, '..');

/** Names that code comes by, and the files in which they stand. */
function places(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const path of readdirSync(root, { recursive: true }) as string[]) {
    if (!path.endsWith('.ts') || path.endsWith('.test.ts') || path.endsWith('kernel/failpoint.ts')) continue;
    for (const [, name = ''] of readFileSync(join(root, path), 'utf8').matchAll(/\bfailpoint\('([^']+)'\)/g))
      found.set(name, [...(found.get(name) ?? []), path]);
  }
  return found;
}

describe('the lists of failpoints', () => {
  it('name what there is in the code, each once', () => {
    const named = [...failpointsOfServer, ...failpointsOfWorker];
    expect([...places().keys()].toSorted()).toEqual([...named].toSorted());
    expect(new Set<string>(named).size).toBe(named.length);
  });

  it('tell a worker from a server by where they stand', () => {
    const ofWorker = [...places()].filter(([, paths]) => paths.every(path => path.startsWith('worker/'))).map(([name]) => name);
    expect(ofWorker.toSorted()).toEqual([...failpointsOfWorker].toSorted());
    expect([failpointsOfServer.length >= 20, failpointsOfWorker.length >= 11]).toEqual([true, true]);
  });
});

describe('an armed failpoint', () => {
  it('throws, each time or the nth time alone', () => {
    armFailpoints('claimed:throw,before-land:throw:2');
    expect(() => failpoint('claimed')).toThrow('failpoint claimed');
    expect(() => failpoint('claimed')).toThrow('failpoint claimed');
    failpoint('before-land');
    expect(() => failpoint('before-land')).toThrow('failpoint before-land');
    failpoint('before-land');
    failpoint('after-land');
  });

  it('keeps everything waiting for so long', () => {
    armFailpoints('claimed:delay:60');
    const since = performance.now();
    failpoint('claimed');
    expect(performance.now() - since).toBeGreaterThanOrEqual(55);
  });

  it.each(['claimed', 'claimed:die', 'nowhere:kill', 'claimed:kill:0', 'claimed:delay', 'claimed:delay:x'])('is not %s', spec => {
    expect(() => armFailpoints(spec)).toThrow(`SKEP_FAILPOINTS: "${spec}"`);
  });

  it('kills its process, and says so first', () => {
    const text = `const { armFailpoints, failpoint } = await import(process.argv[1]);
      armFailpoints('claimed:kill:2'); failpoint('claimed'); console.log('once'); failpoint('claimed'); console.log('twice');`;
    const argv = ['--import', 'tsx', '--input-type=module', '--eval', text, join(import.meta.dirname, 'failpoint.ts')];
    const { signal, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
    expect([signal, stdout, stderr]).toEqual(['SIGKILL', 'once\n', expect.stringContaining('failpoint claimed kill\n')]);
  });
});
