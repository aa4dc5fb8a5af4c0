import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../kernel/clock.ts';
import { haltWarning } from './halt.ts';
import type { Run } from '../run.ts';

function warned() {
  const waits: { ms: number; wake: () => void }[] = [];
  const clock = {
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>(resolve => {
        waits.push({ ms, wake: resolve });
        signal?.addEventListener('abort', () => resolve());
      }),
  } as Clock;
  const [halted, ending] = [new AbortController(), new AbortController()];
  const run = { lease: { halted: halted.signal }, tools: { clock }, signal: ending.signal } as unknown as Run;
  return { halted, ending, waits, warning: haltWarning(run) };
}

const settled = () => new Promise(resolve => setImmediate(resolve));

describe('an agent whose run cannot go on', () => {
  it('has ten seconds to see it by itself', async () => {
    const { halted, waits, warning } = warned();
    halted.abort();
    expect(waits.map(({ ms }) => ms)).toEqual([10_000]);
    expect(warning.signal.aborted).toBe(false);
    waits[0]?.wake();
    await settled();
    expect(warning.signal.aborted).toBe(true);
  });

  it('has a minute to end its turn where it has asked a person', () => {
    const { halted, waits } = warned();
    halted.abort('question');
    expect(waits.map(({ ms }) => ms)).toEqual([60_000]);
  });

  it('is left alone when it has ended in that time', async () => {
    const { halted, warning } = warned();
    halted.abort();
    warning.unlink();
    await settled();
    expect(warning.signal.aborted).toBe(false);
  });

  it('ends at once when its run does', () => {
    const { ending, warning } = warned();
    ending.abort(new Error('lost'));
    expect(warning.signal.reason).toEqual(new Error('lost'));
  });
});
