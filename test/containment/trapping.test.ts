import { gunzipSync } from 'node:zlib';
import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { gitFiles } from '../../src/worker/run/git/inside.ts';
import type { SandboxWorth } from '../../contract/fleet/sandboxes.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { sandboxFolder } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';
import { plantCanaries } from './canaries.ts';
import type { Canaries } from './canaries.ts';
import { hostileFiles, hostileSpec } from './hostile.ts';
import { chosen, startContained, uidOf } from './providers.ts';
import { answerOf } from './reading.ts';
import { pathRows } from './table/host.ts';
import { answersOf } from './table/row.ts';
import { collected, conversations, packed, traps } from './trapping.ts';

describe.each(chosen)('the platform works where a hijacked agent has been: $name', ({ provider, who, possible }) => {
  const home = sandboxFolder(who);
  let canaries: Canaries;
  let worker: SandboxWorker;
  let sandbox: Sandbox;
  let before = '';
  let worth: SandboxWorth;
  const check = it.skipIf(!possible);

  beforeAll(async () => {
    if (!possible) return;
    canaries = await plantCanaries({ home: dirname(home.folder), uid: uidOf(who) });
    worker = await startContained({ provider, who, folder: home.folder });
    const probe = await worker.provider.probe();
    if (!probe.ok) throw new Error(probe.why);
    worth = probe.worth;
    sandbox = await worker.provider.create(hostileSpec('traps', { keeps: true, files: [...hostileFiles, ...gitFiles] }));
    before = canaries.hash();
  });
  afterAll(async () => {
    await sandbox?.kill();
    await worker?.kill();
    canaries?.close();
    home.remove();
  });

  const places = (): [string, string] => [dirname(String(canaries.facts['openFile'])), String(canaries.facts['openFile'])];
  /** None where it is not tried. */
  const allowed = (name: string): readonly string[] =>
    pathRows.filter(({ attempt }) => attempt === name).flatMap(row => answersOf(row, worth));

  check.each(Object.entries(traps))('%s', async (name, script) => {
    if (allowed(name).length === 0) return;
    let taken: Buffer = Buffer.alloc(0);
    const collecting = collected(sandbox, { script, args: places() }).then(bytes => {
      taken = bytes;
      return 'collected';
    });
    expect(allowed(name)).toContain(await answerOf(collecting));
    expect(canaries.in(taken.toString('latin1'))).toEqual([]);
    expect([canaries.hash(), canaries.reached]).toEqual([before, []]);
  });

  check.each(Object.entries(conversations))('%s', async (name, script) => {
    if (allowed(name).length === 0) return;
    const taken = await packed(sandbox, { script, args: places() }).catch((error: unknown) => {
      expect(String(error)).toMatch(/none that could be packed/);
      return undefined;
    });
    expect(allowed(name)).toContain(taken === undefined ? 'not packed' : 'without it');
    if (taken !== undefined) expect(canaries.in(gunzipSync(taken).toString('latin1'))).toEqual([]);
    expect(canaries.hash()).toBe(before);
  });

  it('leaves no row without a trap', () => {
    expect([...Object.keys(traps), ...Object.keys(conversations)].sort()).toEqual(pathRows.map(({ attempt }) => attempt).sort());
  });
});
