import { afterEach, describe, expect, it } from 'vitest';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import { silentLog } from '../kernel/log.ts';
import type { Protocol } from './client.ts';
import { holdLease } from './lease.ts';
import type { Lease } from './lease.ts';

/** Time that moves when the test says so, as it does for a process that was stopped. */
function handClock(): Clock & { pass(ms: number): Promise<void>; jump(ms: number): void } {
  let nowMs = 0;
  const sleepers = new Set<{ atMs: number; wake: () => void }>();
  return {
    now: () => nowMs,
    mono: () => nowMs,
    sleep: (ms, signal) =>
      new Promise(resolve => {
        const onAbort = (): void => sleeper.wake();
        const sleeper = {
          atMs: nowMs + ms,
          wake() {
            sleepers.delete(sleeper);
            signal?.removeEventListener('abort', onAbort);
            resolve();
          },
        };
        sleepers.add(sleeper);
        signal?.addEventListener('abort', onAbort);
      }),
    jump(ms) {
      nowMs += ms;
    },
    async pass(ms) {
      // Whoever is about to sleep does so before the time moves.
      await new Promise(resolve => setImmediate(resolve));
      nowMs += ms;
      for (const sleeper of sleepers) if (sleeper.atMs <= nowMs) sleeper.wake();
      await new Promise(resolve => setImmediate(resolve));
    },
  };
}

const clock = handClock;
let lease: Lease | undefined;
afterEach(() => lease?.release());

type Heartbeat = Protocol['heartbeat'];
const answered: Heartbeat = () => Promise.resolve({ leaseMs: 1_000, heartbeatMs: 300 });
const silent: Heartbeat = () => Promise.reject(new Fault('server_unavailable'));

function hold(heartbeat: Heartbeat, time: Clock): Lease {
  const protocol = { heartbeat } as Protocol;
  lease = holdLease({
    protocol,
    key: { runId: 'r', token: 't' },
    leaseMs: 1_000,
    heartbeatMs: 300,
    clock: time,
    random: () => 0,
    log: silentLog,
  });
  return lease;
}

describe('a lease', () => {
  it('is held while heartbeats are answered', async () => {
    const time = clock();
    let beats = 0;
    const lease = hold((...args) => {
      beats += 1;
      return answered(...args);
    }, time);
    await lease.confirmed();
    for (let i = 0; i < 10; i += 1) await time.pass(300);
    expect(beats).toBe(11);
    expect(lease.signal.aborted).toBe(false);
    await expect(lease.send(() => Promise.resolve('sent'))).resolves.toBe('sent');
  });

  it('is lost at four fifths of its time when no heartbeat is answered, and not before', async () => {
    const time = clock();
    let heartbeat = answered;
    const lease = hold((...args) => heartbeat(...args), time);
    await lease.confirmed();
    heartbeat = silent;
    for (let i = 0; i < 79; i += 1) await time.pass(10);
    expect(lease.signal.aborted).toBe(false);
    await time.pass(10);
    expect(lease.signal.reason).toMatchObject({ code: 'lease_lost' });
  });

  it('counts from when a heartbeat was sent: an answer that took too long renews nothing', async () => {
    const time = clock();
    let answer = (): void => {};
    const late: Heartbeat = () =>
      new Promise(resolve => {
        answer = () => resolve({ leaseMs: 1_000, heartbeatMs: 300 });
      });
    const lease = hold(late, time);
    await time.pass(790);
    answer();
    await lease.confirmed();
    await time.pass(10);
    expect(lease.signal.reason).toMatchObject({ code: 'lease_lost' });
  });

  it('sends nothing after the process was stopped for longer than the lease', async () => {
    const time = clock();
    const lease = hold(answered, time);
    await lease.confirmed();
    let sent = 0;
    // As after SIGCONT: the time has passed, and no timer has fired yet.
    time.jump(5_000);
    await expect(lease.send(() => Promise.resolve((sent += 1)))).rejects.toMatchObject({ code: 'lease_lost' });
    expect(sent).toBe(0);
    expect(lease.signal.aborted).toBe(true);
  });

  it('is lost when the server says so', async () => {
    const lease = hold(() => Promise.reject(new Fault('lease_lost', { message: 'the run was cancelled' })), clock());
    await expect(lease.confirmed()).rejects.toMatchObject({ code: 'lease_lost', message: 'the run was cancelled' });
  });

  it('is lost when the server says so to any other call', async () => {
    const lease = hold(answered, clock());
    await lease.confirmed();
    await expect(lease.send(() => Promise.reject(new Fault('lease_lost')))).rejects.toMatchObject({ code: 'lease_lost' });
    expect(lease.signal.aborted).toBe(true);
  });

  it('is lost with the token', async () => {
    const lease = hold(() => Promise.reject(new Fault('unauthenticated')), clock());
    await expect(lease.confirmed()).rejects.toMatchObject({ code: 'unauthenticated' });
  });

  it('repeats what was not answered until it is', async () => {
    const time = clock();
    const lease = hold(answered, time);
    await lease.confirmed();
    let tries = 0;
    const sent = lease.send(() =>
      (tries += 1) < 3 ? Promise.reject(new Fault('server_unavailable')) : Promise.resolve('got through'),
    );
    for (let i = 0; i < 10; i += 1) await time.pass(100);
    await expect(sent).resolves.toBe('got through');
  });

  it('does not mistake the end of the run for its loss', async () => {
    const time = clock();
    let heartbeat = answered;
    const lease = hold((...args) => heartbeat(...args), time);
    await lease.confirmed();
    let finish = (): void => {};
    const last = lease.sendLast(() => new Promise<string>(resolve => (finish = () => resolve('accepted'))));
    heartbeat = () => Promise.reject(new Fault('lease_lost'));
    await time.pass(300);
    expect(lease.signal.aborted).toBe(false);
    finish();
    await expect(last).resolves.toBe('accepted');
  });

  it('gives up the last call too when the lease runs out', async () => {
    const time = clock();
    const lease = hold(answered, time);
    await lease.confirmed();
    const last = lease.sendLast(() => Promise.reject(new Fault('server_unavailable')));
    last.catch(() => {});
    await time.pass(2_000);
    await expect(last).rejects.toMatchObject({ code: 'lease_lost' });
  });

  it('has an end for what follows the agent: heartbeats alone do not keep a run', async () => {
    const time = clock();
    const lease = hold(answered, time);
    await lease.confirmed();
    const early = lease.send(() => Promise.reject(new Fault('disk_full', { message: 'no space for blobs' })));
    early.catch(() => {});
    lease.closeWithin(2_000);
    const last = lease.sendLast(() => Promise.reject(new Fault('internal', { message: 'it broke' })));
    last.catch(() => {});
    for (let i = 0; i < 19; i += 1) await time.pass(100);
    expect(lease.ending.aborted).toBe(false);
    await time.pass(100);
    for (const sent of [early, last])
      await expect(sent).rejects.toMatchObject({
        code: 'failed',
        facts: { class: 'sandbox' },
        message: expect.stringMatching(/within 2 s of its agent's end; .*: (no space for blobs|it broke)$/) as string,
      });
    expect(lease.signal.aborted).toBe(false);
    await expect(lease.handBack(() => Promise.resolve('handed back'))).resolves.toBe('handed back');
  });

  it('has an end for the call that hands a run back', async () => {
    const time = clock();
    const lease = hold(answered, time);
    await lease.confirmed();
    const back = lease.handBack(() => Promise.reject(new Fault('internal', { message: 'it broke' })));
    back.catch(() => {});
    for (let i = 0; i < 1_300; i += 1) await time.pass(100);
    await expect(back).rejects.toThrow('it broke');
    expect(lease.signal.aborted).toBe(false);
  });

  it('tells news at once', async () => {
    const time = clock();
    const told: string[] = [];
    const lease = hold((key, progress, call) => {
      told.push(progress.state);
      return answered(key, progress, call);
    }, time);
    await lease.confirmed();
    lease.progress({ state: 'working' });
    await time.pass(0);
    expect(told).toEqual(['starting', 'working']);
  });
});
