import PgBoss from 'pg-boss';
import type { Peer } from './peer.ts';
import { rate } from '../harness/bench.ts';

const insertsAtOnce = 1_000;
/** A fetch that comes back empty is made again: what others look at is passed over. */
const triesMax = 1_000;

/** pg-boss by its fetch and complete, which do not wait for its polling; without its housekeeping. */
export async function openBoss(url: string): Promise<Peer> {
  const boss = new PgBoss({ connectionString: url, max: 16, supervise: false, schedule: false });
  boss.on('error', () => {});
  await boss.start();
  await boss.createQueue('work');

  async function fetchOne(): Promise<string> {
    for (let tries = 0; tries < triesMax; tries++) {
      const [job] = await boss.fetch('work');
      if (job !== undefined) return job.id;
    }
    throw new Error('pg-boss gave no job');
  }

  return {
    name: 'pg-boss',
    queue: 'pg-boss',
    async fill(count) {
      for (let left = count; left > 0; left -= insertsAtOnce)
        await boss.insert(Array.from({ length: Math.min(left, insertsAtOnce) }, () => ({ name: 'work', data: { n: 1 } })));
    },
    work: (workers, count) =>
      rate(count, workers, async () => {
        await boss.complete('work', await fetchOne());
      }),
    close: () => boss.stop({ graceful: false }),
  };
}
