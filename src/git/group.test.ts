import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { processesWith, temporaryFolder } from '../../test/harness/worker.ts';
import { systemClock } from '../kernel/clock.ts';
import { runGroup } from './group.ts';

/** The system's clock, in which the time that a program has to end itself is over at once. */
const impatient = {
  ...systemClock,
  sleep: (ms: number, signal?: AbortSignal) => (ms === 5_000 ? Promise.resolve() : systemClock.sleep(ms, signal)),
};
const options = { cwd: '/', env: {}, clock: impatient, timeoutMs: 60_000, outputBytesMax: 1_000 };

/** Starts a child that outlives it, says so, and lets neither be ended politely. */
function stubborn(): { argv: string[]; marker: string } {
  const marker = join(temporaryFolder(), 'ready');
  const path = join(marker, '../stubborn.sh');
  writeFileSync(
    path,
    `trap '' TERM\n(trap '' TERM; while :; do sleep 0.05; done) &\ntouch ${marker}\nwait\nwhile :; do sleep 0.05; done\n`,
  );
  return { argv: ['sh', path], marker };
}

describe('a group of programs', () => {
  it('that does not end when it is asked to is ended all the same, each of them', async () => {
    const { argv, marker } = stubborn();
    const stopping = new AbortController();
    const running = runGroup(argv, { ...options, signal: stopping.signal });
    await expect.poll(() => existsSync(marker)).toBe(true);
    stopping.abort();
    expect(await running).toMatchObject({ exitCode: undefined, signal: 'SIGKILL', timedOut: false });
    await expect.poll(() => processesWith(argv[1] ?? '')).toEqual([]);
  });

  it('is ended before it begins where the signal came first', async () => {
    const { argv } = stubborn();
    expect(await runGroup(argv, { ...options, signal: AbortSignal.abort() })).toMatchObject({ exitCode: undefined });
    await expect.poll(() => processesWith(argv[1] ?? '')).toEqual([]);
  });

  it('keeps the end of what it says on stderr, and the beginning of stdout', async () => {
    const path = join(temporaryFolder(), 'talk.sh');
    writeFileSync(path, 'seq 1 100000 >&2\nseq 1 100000\n');
    const { stdout, stderr, overflowed } = await runGroup(['sh', path], options);
    expect([stdout.length, overflowed, String(stdout).slice(0, 4)]).toEqual([1_000, true, '1\n2\n']);
    expect(String(stderr)).toMatch(/99999\n100000\n$/);
    expect(stderr.length).toBeLessThan(200_000);
  });

  it('that cannot be started says so', async () => {
    expect(await runGroup(['no-such-program'], { ...options, input: 'x' })).toMatchObject({
      code: expect.stringMatching(/ENOENT|EACCES/) as string,
      exitCode: undefined,
    });
  });

  it.each([
    ['an error', new Error('gone')],
    ['nothing', undefined],
  ])('is told of an input that was broken by %s before it began', async (_, error) => {
    const input = new PassThrough();
    input.on('error', () => {});
    input.destroy(error);
    await once(input, 'close').catch(() => {});
    const { broken } = await runGroup(['cat'], { ...options, input });
    expect(broken?.message).toBe(error?.message ?? 'the input has no end');
  });
});
