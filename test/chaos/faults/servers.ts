import { expect } from 'vitest';
import type { Claimed } from '../../../contract/runs.ts';
import { quantile } from '../../../bench/harness/bench.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { type Answer, callWith } from '../../harness/server.ts';
import { type Load } from '../load.ts';
import { comeClean } from '../oracle.ts';
import { begin, conclude, patienceMs } from '../report.ts';
import { leaseMs } from '../world.ts';

interface Claim {
  readonly ticketId: string;
  readonly runId: string;
  readonly claimer: number;
  readonly isTaken: boolean;
}

/**
 * Many servers hand out one queue to many claimers, each at a server of its own; one server dies in the middle. By the claimers' own
 * books each ticket's work was taken once.
 */
export async function shareOut(load: Load, { tickets, claimers }: { tickets: number; claimers: number }): Promise<void> {
  const what = `${load.urls.length} servers share out a queue of tickets, and one of them is killed`;
  begin(what);
  await load.pour(tickets);
  const book: Claim[] = [];
  const claimMs: number[] = [];
  const isDone = (): boolean => new Set(book.filter(({ isTaken }) => isTaken).map(({ ticketId }) => ticketId)).size >= tickets;
  const victim = load.processes.at(-1);
  const end = systemClock.mono() + shareMsMax;

  /** At one server after the other, as they are asked in turn. */
  function ask(turn: number, path: string, body: object): Promise<Answer | undefined> {
    if (systemClock.mono() > end) throw new Error(`${book.length} claims of ${tickets} tickets in ${shareMsMax} ms`);
    return callWith(load.urls[turn % load.urls.length] ?? '', load.token)('POST', path, body).catch(() => undefined);
  }

  /** Until it is answered, as a worker does: what a server took in just before it was killed is answered by the others. */
  async function handIn(result: object, first: number): Promise<boolean> {
    for (let turn = first; ; turn++) {
      const said = await ask(turn, '/api/complete', result);
      if (said !== undefined && said.status < 500) return said.status === 200;
    }
  }

  async function work(claimer: number): Promise<void> {
    for (let turn = claimer; !isDone(); turn++) {
      const since = systemClock.mono();
      const answer = await ask(turn, '/api/claim', { worker: `claimer-${claimer}`, wait_ms: 1_000 });
      if (answer?.status !== 200) continue;
      claimMs.push(systemClock.mono() - since);
      const { run, lease } = answer.body as unknown as Claimed;
      const result = { run_id: run.id, token: lease.token, result: { summary: '' } };
      const isTaken = await handIn(result, turn);
      book.push({ ticketId: run.subject_id, runId: run.id, claimer, isTaken });
      if (book.length === Math.floor(tickets / 2)) await victim?.kill('SIGKILL');
    }
  }

  await Promise.all(Array.from({ length: claimers }, (_, claimer) => work(claimer)));
  const runs = book.map(({ runId }) => runId);
  expect(runs.filter((id, index) => runs.indexOf(id) !== index)).toEqual([]);
  const taken = book.filter(({ isTaken }) => isTaken).map(({ ticketId }) => ticketId);
  expect(taken.filter((id, index) => taken.indexOf(id) !== index)).toEqual([]);
  const withinMs = patienceMs(leaseMs);
  const { verdict, ms } = await comeClean(load.scene(), withinMs);
  process.stdout.write(
    `claims of ${load.urls.length} servers: p50 ${quantile(claimMs, 0.5)} ms, p99 ${quantile(claimMs, 0.99)} ms\n`,
  );
  conclude({ what, count: tickets, verdicts: [verdict], cleanMs: [ms], withinMs });
}

const shareMsMax = 1_200_000;
