import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/kernel/clock.ts';
import type { SandboxWorth } from '../../contract/fleet/sandboxes.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { sandboxFolder } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';
import { plantCanaries } from './canaries.ts';
import type { Canaries } from './canaries.ts';
import { hasPython, hostileSpec, MiB, limits, program, run } from './hostile.ts';
import { chosen, startContained, uidOf } from './providers.ts';
import { race } from './race.ts';
import { answerOf, readings } from './reading.ts';
import { raceRows, readingRows } from './table/host.ts';
import { answersOf, isTried } from './table/row.ts';

/** Nothing waits for the agent: a look at a file is over in a second, and on a machine with other work in several. */
const lookMsMax = 10_000;

describe.each(chosen)('the host takes something out of a hijacked sandbox: $name', ({ provider, who, possible }) => {
  const home = sandboxFolder(who);
  let canaries: Canaries;
  let worker: SandboxWorker;
  let sandbox: Sandbox;
  let before = '';
  let worth: SandboxWorth;
  const isPossible = possible && hasPython;
  const check = it.skipIf(!isPossible);

  beforeAll(async () => {
    if (!isPossible) return;
    canaries = await plantCanaries({ home: dirname(home.folder), uid: uidOf(who) });
    worker = await startContained({ provider, who, folder: home.folder });
    const probe = await worker.provider.probe();
    if (!probe.ok) throw new Error(probe.why);
    worth = probe.worth;
    sandbox = await worker.provider.create(hostileSpec('read', { limits: { ...limits, workspaceBytes: 512 * MiB } }));
    const { stdout, stderr } = await run(sandbox, program('plants', fact('hostFile'), dirname(fact('hostFile'))));
    expect({ stdout, stderr }).toEqual({ stdout: 'planted', stderr: '' });
    before = canaries.hash();
  });
  afterAll(async () => {
    await sandbox?.kill();
    await worker?.kill();
    canaries?.close();
    home.remove();
  });

  const fact = (name: string): string => String(canaries.facts[name]);

  check.each(Object.entries(readings))('%s', async (name, attempt) => {
    const row = readingRows.find(each => each.attempt === name);
    if (row === undefined) throw new Error(`"${name}" has no row`);
    if (!isTried(row, worth)) return;
    const startedMs = systemClock.mono();
    const answer = await answerOf(attempt(sandbox));
    expect(answersOf(row, worth)).toContain(answer);
    expect(systemClock.mono() - startedMs).toBeLessThan(lookMsMax);
  });

  check('leaves no row unasked, and has changed no file of the host', () => {
    expect(Object.keys(readings).sort()).toEqual(readingRows.map(({ attempt }) => attempt).sort());
    expect(canaries.hash()).toBe(before);
  });

  check.each(raceRows)('$attempt', async ({ attempt, answers }) => {
    const said = await race(sandbox, { attempt, target: fact('hostFile'), reads: 15, swaps: 2_000 });
    expect(answers).toContain(said);
  });
});
