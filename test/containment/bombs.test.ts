import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SandboxWorth } from '../../contract/fleet/sandboxes.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import type { Sandbox } from '../../src/worker/sandbox.ts';
import { sandboxFolder } from '../harness/sandbox-worker.ts';
import type { SandboxWorker } from '../harness/sandbox-worker.ts';
import { bombsFor } from './bombs.ts';
import { hasPython, hostileSpec, marked, MiB, program, run } from './hostile.ts';
import { chosen, startContained } from './providers.ts';
import { bombRows } from './table/limits.ts';
import { answersOf, isTried } from './table/row.ts';

/** A command in the sandbox beside takes 0.1 s at rest; a machine with other work takes longer, and one that is swamped for ever. */
const besideMsMax = 15_000;
const workerBytesMax = 256 * MiB;

describe.each(chosen)('a hijacked agent that takes too much: $name', ({ provider, who, possible }) => {
  const home = sandboxFolder(who);
  let worker: SandboxWorker;
  let worth: SandboxWorth;
  let beside: Sandbox;
  let sandbox: Sandbox;
  const isPossible = possible && hasPython;

  beforeAll(async () => {
    if (!isPossible) return;
    worker = await startContained({ provider, who, folder: home.folder });
    const probe = await worker.provider.probe();
    if (!probe.ok) throw new Error(probe.why);
    worth = probe.worth;
    beside = await worker.provider.create(hostileSpec('beside'));
    sandbox = await worker.provider.create(hostileSpec('taking'));
  });
  afterAll(async () => {
    await sandbox?.kill();
    await beside?.kill();
    await worker?.kill();
    home.remove();
  });

  const check = it.skipIf(!isPossible);

  check.each(bombRows)('$attempt', async row => {
    const bomb = bombsFor(worth)[row.attempt];
    if (bomb === undefined) throw new Error(`nothing tries "${row.attempt}"`);
    if (!isTried(row, worth)) return;
    const over = new AbortController();
    const slowest = besideUntil(over.signal);
    const { argv, word, ...bounds } = bomb;
    let bytes = 0;
    const startedMs = systemClock.mono();
    const mark = `bomb-${process.pid}-${provider}-${who.length}-${argv[3] ?? ''}`;
    const ended = await run(sandbox, argv, {
      ...bounds,
      env: { MARK: mark },
      onOutput: (_, chunk) => void (bytes += chunk.length),
    });
    const tookMs = systemClock.mono() - startedMs;
    over.abort();

    const said = ended.exit.reason === 'exited' ? ended.stdout : ended.exit.reason;
    const answer = word === undefined ? said : word({ ...ended, bytes });
    expect({ row: answersOf(row, worth), answer, stderr: ended.stderr.slice(-500) }).toMatchObject({
      answer: answersOf(row, worth).includes(answer) ? answer : `one of ${answersOf(row, worth).join(', ')}`,
    });
    expect(tookMs).toBeLessThan(besideMsMax);
    expect(await slowest).toBeLessThan(besideMsMax);
    expect(bytes).toBeLessThanOrEqual(bounds.outputBytesMax ?? Infinity);
    expect(bytesOf(worker.pid)).toBeLessThan(workerBytesMax);
    // The next one, and whatever comes after it, finds the sandbox as it was.
    const { exit } = await run(sandbox, ['sh', '-c', 'rm -rf ./* && echo more > file']);
    expect(exit).toMatchObject({ reason: 'exited', code: 0 });
    expect(marked(mark)).toEqual([]);
  });

  check('leaves no row without a bomb', () => {
    expect(Object.keys(bombsFor(worth)).sort()).toEqual(bombRows.map(({ attempt }) => attempt).sort());
    expect(program('bombs', 'x')).toHaveLength(4);
  });

  /** The longest that a command of the sandbox beside has taken. */
  async function besideUntil(over: AbortSignal): Promise<number> {
    let slowestMs = 0;
    while (!over.aborted) {
      const startedMs = systemClock.mono();
      const { exit, stdout } = await run(beside, ['echo', 'well']);
      expect({ exit: exit.reason, stdout }).toEqual({ exit: 'exited', stdout: 'well\n' });
      slowestMs = Math.max(slowestMs, systemClock.mono() - startedMs);
      await systemClock.sleep(1_000, over);
    }
    return slowestMs;
  }
});

function bytesOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1_024;
}
