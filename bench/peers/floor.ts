import { systemClock } from '../../src/kernel/clock.ts';
import { createBatches } from '../../src/kernel/batches.ts';
import { hashSecret, randomSecret } from '../../src/kernel/secret.ts';
import { submissionGathering } from '../../src/stages/runs/protocol/submit.ts';
import { rate } from '../harness/bench.ts';
import type { Place } from '../harness/place.ts';
import { fillFloorRuns, fillFloorTickets, floorClaim, floorClaims, floorHandIn, floorHandIns } from './floor.sql.ts';
import type { Peer } from './peer.ts';

interface Taken {
  readonly id: string;
  readonly hash: Buffer;
}

interface HandedIn extends Taken {
  readonly result: string;
}

/** What a claim and a hand-in cannot do without, however they are made: the same rows, by one statement each. */
export interface Floor {
  claim(worker: string): Promise<Taken>;
  handIn(taken: HandedIn): Promise<void>;
}

/** `together`: what comes at the same time shares a statement and a commit, as it does in the server. */
export function openFloor({ enginePool, tenantId }: Place, how: 'alone' | 'together'): Floor {
  const countMax = how === 'alone' ? 1 : 16;
  const atOnceMax = how === 'alone' ? Number.POSITIVE_INFINITY : 2;
  const claims = createBatches<string, Taken>({
    ...{ countMax, atOnceMax },
    async serve(_, workers) {
      const asked = workers.map(worker => ({ worker, hash: hashSecret(randomSecret()), runHash: hashSecret(randomSecret()) }));
      const [one] = asked;
      if (one !== undefined && asked.length === 1) {
        const rows = await enginePool.query(floorClaim, [tenantId, one.worker, one.hash, one.runHash]);
        return rows.map(({ id }) => ({ id, hash: one.hash }));
      }
      const columns = [asked.map(({ worker }) => worker), asked.map(({ hash }) => hash), asked.map(({ runHash }) => runHash)];
      const rows = await enginePool.query(floorClaims, [tenantId, ...columns]);
      const given = new Map(rows.map(({ id, turn }) => [turn, id]));
      return asked.map(({ hash }, i) => ({ id: given.get(i + 1) ?? '', hash }));
    },
  });
  const handIns = createBatches<HandedIn, void>({
    ...{ countMax, atOnceMax },
    ...(how === 'alone' ? {} : { gather: { clock: systemClock, ...submissionGathering } }),
    async serve(_, asked) {
      const [one] = asked;
      const rows =
        one !== undefined && asked.length === 1
          ? await enginePool.query(floorHandIn, [tenantId, one.id, one.hash, one.result])
          : await enginePool.query(floorHandIns, [
              tenantId,
              asked.map(({ id }) => id),
              asked.map(({ hash }) => hash),
              asked.map(({ result }) => result),
            ]);
      if (rows.length !== asked.length) throw new Error(`${asked.length} hand-ins changed ${rows.length} runs`);
      return asked.map(() => undefined);
    },
  });
  return { claim: worker => claims('', worker), handIn: taken => handIns('', taken) };
}

/** The floor as a peer; a worker claims its next without waiting for the answer to its last hand-in, as graphile-worker does. */
export function openFloorPeer(place: Place, how: 'alone' | 'together'): Peer {
  const { superuser, tenantId, projectId } = place;
  const { claim, handIn } = openFloor(place, how);
  let filled = 0;
  return {
    name: how === 'alone' ? 'the floor' : 'the floor, together',
    queue: 'floor',
    async fill(count) {
      await superuser.query(fillFloorTickets, [tenantId, projectId, count, filled + 1]);
      await superuser.query(fillFloorRuns, [tenantId, count, filled + 1, projectId]);
      filled += count;
    },
    async work(workers, count) {
      const open: Promise<void>[] = [];
      return rate(count, workers, async lane => {
        const taken = await claim(`bench-${lane}`);
        open.push(handIn({ ...taken, result: '{"summary":"done"}' }));
        if (open.length === count) await Promise.all(open);
      });
    },
    async close() {},
  };
}
