import type { failpointsOfWorker } from '../../../src/kernel/failpoint.ts';
import type { SkepProcess } from '../../harness/process.ts';
import type { Kind } from '../projects.ts';
import type { World } from '../world.ts';
import { leaveOrphan } from './orphan.ts';

export type WorkerPoint = (typeof failpointsOfWorker)[number];

/** What an heir comes by, when it finds what a dead worker has left. */
const ofHeirs: ReadonlySet<WorkerPoint> = new Set([
  'orphan-rescued',
  'before-rescue-upload',
  'after-rescue-upload',
  'after-bury',
] as const);

/** Those of a run whose project has a setup command. */
export const pointsOfSetup = ['setup-ended', 'snapshot-made', 'snapshot-taken'] as const;

const agents: Readonly<Partial<Record<WorkerPoint, Kind>>> = {
  ...{ 'call-relayed': 'asking', 'before-fail': 'failing' },
  ...{ 'setup-ended': 'prepared', 'snapshot-made': 'prepared', 'snapshot-taken': 'prepared' },
};

/** A worker that is about to die at the point, with something that leads it there. */
export async function doom(world: World, name: string, point: WorkerPoint): Promise<SkepProcess> {
  if (ofHeirs.has(point)) {
    await leaveOrphan(world, name);
    return world.worker(name, point);
  }
  const doomed = world.worker(name, point);
  const kind = agents[point] ?? 'plain';
  // What a setup has left is kept, and made once for a project.
  await world.ticket(kind === 'prepared' ? await world.newProject(kind) : world.project(kind));
  return doomed;
}
