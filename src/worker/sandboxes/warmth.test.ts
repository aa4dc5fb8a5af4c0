import { expect, it } from 'vitest';
import { silentLog } from '../../kernel/log.ts';
import type { SandboxLimits } from '../sandbox.ts';
import { createWarmth } from './warmth.ts';

const limits = (cpuCount: number): SandboxLimits => ({
  ...{ memoryBytes: 2 ** 28, processCount: 16, cpuCount, tmpBytes: 2 ** 20, workspaceBytes: 2 ** 26 },
});

function asked(warm?: number) {
  const calls: (readonly [number, number])[] = [];
  const prewarm = (of: SandboxLimits, count: number) => {
    calls.push([of.cpuCount, count]);
    return count > 50 ? Promise.reject(new Error('no room')) : Promise.resolve();
  };
  return { calls, warmth: createWarmth({ sandboxes: { prewarm }, warm, log: silentLog }) };
}

it('has as many wait as runs may begin, of the limits that came last, and none in the end', async () => {
  const { calls, warmth } = asked(3);
  warmth.free(8);
  warmth.free(2, limits(1));
  warmth.free(8);
  warmth.free(-1, limits(2));
  warmth.free(1);
  await warmth.end();
  expect(calls).toEqual([
    [1, 2],
    [1, 3],
    [2, 0],
    [2, 1],
    [2, 0],
  ]);
});

it('asks for none where none may wait, and is not ended by one that can not be made', async () => {
  for (const warm of [0, undefined]) {
    const { calls, warmth } = asked(warm);
    warmth.free(4, limits(1));
    await warmth.end();
    expect(calls).toEqual([]);
  }
  const { calls, warmth } = asked(100);
  warmth.free(60, limits(1));
  await warmth.end();
  expect(calls).toHaveLength(2);
});
