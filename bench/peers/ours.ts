import { createSubmit } from '../../src/stages/runs/protocol/submit.ts';
import { type ClaimedRun, createClaims } from '../../src/stages/runs/queue/claim.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { rate } from '../harness/bench.ts';
import { fillFarRuns, fillRuns, fillTickets } from '../harness/fill.sql.ts';
import type { Place } from '../harness/place.ts';
import { benchCapabilities, benchSettings } from '../harness/settings.ts';
import type { Peer } from './peer.ts';

/**
 * A claim and a hand-in as the server makes them: lease, fence, ticket and events; then the fenced submission, the ticket, its events,
 * and the job that judges it. `beside`: a worker claims its next without waiting for the answer to its last hand-in, as graphile-worker
 * does; otherwise one after the other, as pg-boss is used here. `far`: the tickets are left alone by workers that a benchmark starts.
 */
export function openOurs(place: Place, how: 'in turn' | 'beside', where: 'here' | 'far' = 'here'): Peer {
  const { tenantId, projectId, superuser } = place;
  const database = { ...place.database, enginePool: place.enginePool, committed() {} };
  const claim = createClaims(database, benchSettings);
  const submit = createSubmit(database, systemClock);
  let filled = 0;

  async function next(lane: number): Promise<ClaimedRun> {
    const worker = `bench-${lane}`;
    const claimed = await claim({
      tenantId,
      actor: `worker:${worker}`,
      worker,
      capabilities: benchCapabilities,
    });
    if (claimed === undefined) throw new Error('nothing could be claimed');
    return claimed;
  }

  async function handIn({ run, token }: ClaimedRun): Promise<void> {
    const { state } = await submit(
      { tenantId, actor: `worker:${run.worker}`, holder: { runId: run.id, token } },
      { summary: 'done' },
    );
    if (state !== 'submitted') throw new Error(`a run that was handed in is ${state}`);
  }

  return {
    name: how === 'in turn' ? 'Skep' : 'Skep, the next claim beside the hand-in',
    queue: 'ours',
    async fill(count) {
      await superuser.query(fillTickets, [tenantId, projectId, count, filled + 1]);
      await superuser.query(where === 'far' ? fillFarRuns : fillRuns, [tenantId, count, filled + 1, projectId]);
      filled += count;
    },
    async work(workers, count) {
      const open: Promise<void>[] = [];
      const perSecond = await rate(count, workers, async lane => {
        const handedIn = handIn(await next(lane));
        if (how === 'in turn') await handedIn;
        else open.push(handedIn);
        if (open.length === count) await Promise.all(open);
      });
      return perSecond;
    },
    async close() {},
  };
}
