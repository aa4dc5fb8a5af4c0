import type { failpointsOfWorker } from '../../../src/kernel/failpoint.ts';
import { type SkepProcess, until } from '../../harness/process.ts';
import { type Kind, patienceMs, type World } from '../world.ts';

export type WorkerPoint = (typeof failpointsOfWorker)[number];

/** What an heir comes by, when it finds what a dead worker has left. */
const ofHeirs: ReadonlySet<WorkerPoint> = new Set([
  'orphan-rescued',
  'before-rescue-upload',
  'after-rescue-upload',
  'after-bury',
] as const);

const agents: Readonly<Partial<Record<WorkerPoint, Kind>>> = { 'call-relayed': 'asking', 'before-fail': 'failing' };

/** A worker that is about to die at the point, with something that leads it there. */
export async function doom(world: World, name: string, point: WorkerPoint): Promise<SkepProcess> {
  if (ofHeirs.has(point)) {
    await leaveOrphan(world, name);
    return world.worker(name, point);
  }
  const doomed = world.worker(name, point);
  await world.ticket(world.project(agents[point] ?? 'plain'));
  return doomed;
}

/** A worker dies while its agent is at work. */
async function leaveOrphan(world: World, name: string): Promise<void> {
  const first = world.worker(name);
  const id = await world.ticket(world.project('sleeping'));
  await until(
    'the agent sleeps',
    async () => {
      const { body } = await world.ask('GET', `/api/tickets/${id}`);
      return body['status'] === 'running' && world.sleepers().length > 0 ? true : undefined;
    },
    patienceMs,
  );
  await first.kill('SIGKILL');
}
