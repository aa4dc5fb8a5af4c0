import { systemClock } from '../../../src/kernel/clock.ts';
import { query } from '../../harness/database.ts';
import { comeClean, isClean } from '../oracle.ts';
import { begin, conclude, patienceMs } from '../report.ts';
import { type Busy, leaseMs } from '../world.ts';

interface Disturbance {
  readonly what: string;
  readonly times: number;
  /** Between two of them, for things to get going again. */
  readonly betweenMs: number;
  /** What is gone without a word is noticed after so long, and only then can it be mended. */
  readonly noticedMs?: number;
  act(index: number): Promise<void>;
}

/** At once: enough for two workers to be busy, and few enough to be done soon when nothing goes wrong any more. */
const openMax = 6;

/** Tickets come without end while it happens again and again; after the last time all of them have to be done soon. */
export async function underLoad(load: Busy, { what, times, betweenMs, noticedMs = 0, act }: Disturbance): Promise<void> {
  begin(what);
  let isOver = false;
  const pouring = (async () => {
    while (!isOver) {
      if ((await openTickets(load)) < openMax) await load.pour(1);
      else await systemClock.sleep(50);
    }
  })();
  for (let index = 0; index < times; index++) {
    await systemClock.sleep(betweenMs);
    await act(index);
  }
  isOver = true;
  await pouring;
  const withinMs = patienceMs(leaseMs, noticedMs);
  const { verdict, ms } = await comeClean(load.scene(), withinMs);
  if (!isClean(verdict)) process.stdout.write(`${what}; the servers said last:\n${load.said()}\n`);
  conclude({ what, count: times, verdicts: [verdict], cleanMs: [ms], withinMs });
}

/** None is known while the database is away: then nothing is asked for. */
async function openTickets({ database }: Busy): Promise<number> {
  const text = `select count(*)::int as count from tickets where status not in ('completed', 'failed', 'cancelled')`;
  const rows = await query<{ count: number }>(database, text).catch(() => []);
  return rows[0]?.count ?? openMax;
}
