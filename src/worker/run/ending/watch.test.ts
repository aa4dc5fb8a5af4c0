import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import type { SandboxStats } from '../../sandbox.ts';
import type { Run } from '../run.ts';
import { watchSandbox } from './watch.ts';

const everyMs = 5_000;
const looksOfSilence = 600_000 / everyMs;

function watched(isCalling = false) {
  const events: string[] = [];
  const state = {
    stats: { state: 'answering', processes: 2, memoryBytes: 1, cpuMs: 0, workspaceBytes: undefined } as SandboxStats,
    isCalling,
    stuck: 0,
  };
  let wake = (): void => {};
  const clock = {
    sleep: (ms: number, signal?: AbortSignal) =>
      new Promise<void>(resolve => {
        expect(ms).toBe(everyMs);
        const onAbort = (): void => wake();
        wake = () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        };
        signal?.addEventListener('abort', onAbort);
      }),
  } as Clock;
  const run = {
    claimed: { lease: { heartbeat_ms: everyMs } },
    tools: { clock, log: silentLog },
    reports: { add: (type: string) => void events.push(type) },
  } as unknown as Run;
  const watch = watchSandbox(run, {
    sandbox: { stats: () => Promise.resolve(state.stats) },
    isCalling: () => state.isCalling,
    onStuck: () => void (state.stuck += 1),
  });
  async function look(stats: Partial<SandboxStats> = {}): Promise<void> {
    state.stats = { ...state.stats, ...stats };
    wake();
    await new Promise(resolve => setImmediate(resolve));
  }
  return { watch, look, events, state };
}

describe('a sandbox whose processes are all stopped', () => {
  it('is warned of, then degraded, and stuck at the third look', async () => {
    const { watch, look, events, state } = watched();
    watch.begin();
    await look({ state: 'frozen' });
    await look();
    expect([events, state.stuck]).toEqual([['sandbox.warned', 'sandbox.degraded'], 0]);
    await look();
    expect([events.at(-1), state.stuck, watch.stuck]).toEqual(['sandbox.unresponsive', 1, 'its processes (2) are all stopped']);
    await look();
    expect(state.stuck).toBe(1);
  });

  it('is well again when one goes on, or when something was done between two looks', async () => {
    const { watch, look, events, state } = watched();
    watch.begin();
    for (const next of [{ state: 'answering' }, { cpuMs: 10 }] as const) {
      await look({ state: 'frozen' });
      await look();
      await look(next);
    }
    expect(state.stuck).toBe(0);
    const turn = ['sandbox.warned', 'sandbox.degraded', 'sandbox.well'];
    expect(events).toEqual([...turn, ...turn]);
  });
});

describe('a sandbox that is silent', () => {
  it('is stuck after ten minutes, and not before', async () => {
    const { watch, look, state } = watched();
    watch.begin();
    for (let i = 1; i < looksOfSilence; i += 1) await look();
    expect(state.stuck).toBe(0);
    await look();
    expect([state.stuck, watch.stuck]).toEqual([1, expect.stringContaining('for 10 minutes')]);
  });

  it.each(['a word', 'a call', 'work'])('is not stuck for %s', async sign => {
    const { watch, look, state } = watched(sign === 'a call');
    watch.begin();
    for (let i = 1; i < 3 * looksOfSilence; i += 1) {
      if (sign === 'a word' && i % 100 === 0) watch.heard();
      await look(sign === 'work' && i % 100 === 0 ? { cpuMs: i } : {});
    }
    expect(state.stuck).toBe(0);
  });

  it('is not looked at before its agent runs, nor after its end', async () => {
    const { watch, look, state } = watched();
    for (let i = 0; i < 10; i += 1) await look({ state: 'frozen' });
    watch.begin();
    watch.end();
    for (let i = 0; i < 10; i += 1) await look();
    expect(state.stuck).toBe(0);
  });
});
