import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxWorth } from '../../contract/fleet/sandboxes.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { sandboxFolder } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';
import { plantCanaries } from './canaries.ts';
import type { Canaries } from './canaries.ts';
import { hasPython, hostileSpec, marked, MiB, program, run } from './hostile.ts';
import { contained, startContained, uidOf } from './providers.ts';
import { race } from './race.ts';
import { raceRows } from './table/host.ts';

const quick = contained.filter(({ provider }) => provider.startsWith('local'));

/** Until all is dead that a killed worker has run. */
const goneMsMax = 5_000;

/** What takes minutes: the same attempts, more often and with more. */
describe.each(quick)('a hijacked agent that has much time: $name', ({ provider, who, possible }) => {
  const home = sandboxFolder(who);
  let canaries: Canaries;
  let worker: SandboxWorker;
  let worth: SandboxWorth;
  let sandbox: Sandbox;
  const check = it.skipIf(!possible || !hasPython);

  beforeAll(async () => {
    if (!possible) return;
    canaries = await plantCanaries({ home: dirname(home.folder), uid: uidOf(who) });
    worker = await startContained({ provider, who, folder: home.folder });
    const probe = await worker.provider.probe();
    if (!probe.ok) throw new Error(probe.why);
    worth = probe.worth;
    sandbox = await worker.provider.create(hostileSpec('long'));
  });
  afterAll(async () => {
    await sandbox?.kill();
    await worker?.kill();
    canaries?.close();
    home.remove();
  });

  check.each(raceRows)('10,000 times: $attempt', async ({ attempt, answers }) => {
    const said = await race(sandbox, { attempt, target: String(canaries.facts['hostFile']), reads: 300, swaps: 10_000 });
    expect(answers).toContain(said);
  });

  check('files without content in /tmp take memory, and are stopped by its limit where that is enforced', async () => {
    const { exit, stdout } = await run(sandbox, program('bombs', 'tmp-inodes', 250_000));
    const word = exit.reason === 'exited' ? stdout : exit.reason;
    const enforced = ['out_of_memory', 'ENOSPC'];
    expect(worth.limits.memory === 'enforced' ? enforced : [...enforced, 'reached', 'slow']).toContain(word);
  });

  check('a program that prints 1 GiB in one line is cut at its limit, and the worker stays small', async () => {
    let bytes = 0;
    const count = (_: string, chunk: Buffer): void => void (bytes += chunk.length);
    const bounds = { outputBytesMax: 512 * MiB, timeoutMs: 120_000, onOutput: count };
    const { exit } = await run(sandbox, program('bombs', 'line', 1_024 * MiB), bounds);
    expect([exit.reason, bytes]).toEqual(['output_limit', 512 * MiB]);
  });

  check('all that runs is dead when its worker was killed', async () => {
    const own = sandboxFolder(who);
    const mortal = await startContained({ provider, who, folder: own.folder });
    const mark = `orphaned-${process.pid}`;
    const orphan = await mortal.provider.create(hostileSpec('orphan'));
    const running = run(orphan, program('lasting', 'deaf', mark, 'stay')).catch(() => {});
    await expect.poll(() => marked(mark).length).toBeGreaterThan(1);
    await mortal.kill();
    await running;
    await expect.poll(() => marked(mark), { timeout: goneMsMax }).toEqual([]);
    const next = await startContained({ provider, who, folder: own.folder });
    expect(await next.provider.reapOrphans()).toBe(1);
    await next.kill();
    own.remove();
  });
});
