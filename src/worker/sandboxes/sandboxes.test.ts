import { describe, expect, it } from 'vitest';
import { sandboxReport } from '../../../contract/fleet/sandboxes.ts';
import type { Clock } from '../../kernel/clock.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import type { Sandbox, SandboxStats } from '../sandbox.ts';
import { createKills } from './kills.ts';
import { createSandboxReports, sandboxOfRun } from './report.ts';

const limits = { memoryBytes: 1, processCount: 2, cpuCount: 0.5, tmpBytes: 3, workspaceBytes: 4 };
const runId = '6f4b5f0e-1111-4222-8333-444455556666';
/** The edge of the world: what a kernel says of a sandbox. */
const sandbox = (id: string, stats: () => Promise<SandboxStats>, kill = () => Promise.resolve()) =>
  ({ id, limits, madeAtMs: 0, stats, kill }) as unknown as Sandbox;
const well: SandboxStats = { state: 'answering', processes: 5, memoryBytes: 6.4, cpuMs: 7.6, workspaceBytes: undefined };
/** A second is over at once. */
const quick: Clock = { ...systemClock, sleep: () => Promise.resolve() };

describe('what a beat tells of sandboxes', () => {
  it('is what each says of itself, with the run that it is of', async () => {
    const there = [
      sandbox(sandboxOfRun(runId, 3), () => Promise.resolve(well)),
      sandbox('probe-1', () => Promise.resolve({ ...well, state: 'gone' })),
    ];
    const told = await createSandboxReports({ sandboxes: { list: () => there }, clock: systemClock })();
    expect(told).toMatchObject([
      { id: `${runId}-3`, run_id: runId, state: 'answering', use: { memory_bytes: 6, cpu_ms: 8, workspace_bytes: null } },
      { id: 'probe-1', run_id: null, state: 'idle' },
    ]);
    for (const each of told) expect(sandboxReport.parse(each)).toEqual(each);
  });

  it('is not held up by one that does not answer: it is told of as it was seen last', async () => {
    let answers = true;
    const stats = () => (answers ? Promise.resolve(well) : new Promise<SandboxStats>(() => {}));
    const reports = createSandboxReports({
      sandboxes: { list: () => [sandbox('a', stats), sandbox('b', () => Promise.resolve(well))] },
      clock: quick,
    });
    // Twice: what was seen last is kept for as long as it lasts.
    const slow: Clock = { ...systemClock, sleep: () => new Promise(() => {}) };
    expect(await createSandboxReports({ sandboxes: { list: () => [sandbox('a', stats)] }, clock: slow })()).toMatchObject([
      { state: 'answering' },
    ]);
    await reports();
    answers = false;
    for (let times = 0; times < 2; times++) expect(await reports()).toMatchObject([{ id: 'a', state: 'frozen' }, { id: 'b' }]);
  });

  it('is of at most two hundred', async () => {
    const many = Array.from({ length: 250 }, (_, i) => sandbox(`s${i}`, () => Promise.resolve(well)));
    expect(await createSandboxReports({ sandboxes: { list: () => many }, clock: systemClock })()).toHaveLength(200);
  });
});

describe('kills', () => {
  it('reach the sandbox that is there, again with each beat, and say whose they are', async () => {
    let killed = 0;
    const one = sandbox(
      'one',
      () => Promise.resolve(well),
      () => {
        killed += 1;
        return Promise.reject(new Error('busy'));
      },
    );
    const kills = createKills({ get: id => (id === 'one' ? one : undefined) }, silentLog);
    for (let times = 0; times < 2; times++)
      kills.hear([
        { id: 'one', by: 'token:ann' },
        { id: 'gone', by: 'token:ann' },
      ]);
    expect([killed, kills.by('one'), kills.by('gone')]).toEqual([2, 'token:ann', undefined]);
  });
});
