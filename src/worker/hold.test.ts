import { describe, expect, it } from 'vitest';
import { systemClock } from '../kernel/clock.ts';
import { createHold } from './hold.ts';

function start() {
  let nowMs = 5;
  const clock = { ...systemClock, mono: () => nowMs, sleep: (ms: number) => Promise.resolve(void (nowMs += ms)) };
  const told: string[] = [];
  const { signal } = new AbortController();
  const hold = createHold({
    ...{ clock, signal, random: () => 1 },
    onHold: why => void told.push(why),
    onGo: () => void told.push('go'),
  });
  const waited = async (): Promise<number> => {
    const since = nowMs;
    await hold.pass();
    return nowMs - since;
  };
  return { hold, told, waited };
}

describe('a worker whose runs fail', () => {
  it('waits longer from the second failure on, to a minute, and not after one that got further', async () => {
    const { hold, told, waited } = start();
    const waits = [];
    for (let i = 1; i <= 9; i += 1) {
      hold.failed(`failure ${i}`);
      waits.push(await waited());
    }
    expect(waits).toEqual([0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    expect(told).toEqual(['failure 2']);
    hold.succeeded();
    hold.succeeded();
    expect([await waited(), told]).toEqual([0, ['failure 2', 'go']]);
    hold.failed('again');
    expect(await waited()).toBe(0);
  });

  it('takes one run after each wait, however many slots are free', async () => {
    const { hold, waited } = start();
    hold.failed('one');
    hold.failed('two');
    expect([await waited(), await waited(), await waited()]).toEqual([1_000, 1_000, 1_000]);
  });

  it('goes on at once when a run got further meanwhile, or when it is stopped', async () => {
    const stopping = new AbortController();
    const hold = createHold({ clock: systemClock, random: () => 1, signal: stopping.signal, onHold() {}, onGo() {} });
    const since = performance.now();
    for (const end of [() => hold.succeeded(), () => stopping.abort()]) {
      for (let i = 0; i < 9; i += 1) hold.failed('x');
      const passed = hold.pass();
      end();
      await passed;
    }
    expect(performance.now() - since).toBeLessThan(5_000);
  });
});
