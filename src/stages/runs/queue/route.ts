import { routedTypes } from '../../../../contract/templates/router.ts';
import type { Tx } from '../../../db/database.ts';
import { failpoint } from '../../../kernel/failpoint.ts';
import { wakeClaims } from '../../../support/fleet/index.ts';
import { getProject, type ProjectRow } from '../../../support/projects/index.ts';
import { type Routed, routed } from '../../../support/templates/index.ts';
import { getTicket } from '../../tickets/index.ts';
import { announceRun } from '../holder.ts';
import type { RunRow } from '../runs.sql.ts';
import type { RunSettings } from '../settings.ts';
import { lookingRun, probeRow, projectsRouted, refitRunRows, rerouteRunRows } from './place.sql.ts';

type Settings = Pick<RunSettings, 'modelTargets'>;

/** By which version of which template a run is worked on. */
export interface Place {
  readonly id: string;
  /** The version in whose place it stands, and why. */
  readonly fallbackOf: string | null;
  readonly why: string | null;
}

interface Queued {
  readonly project: ProjectRow;
  /** Of its ticket. */
  readonly type: string;
  readonly waitMs: number;
}

/** What a run that is queued now needs of a worker, and by which template it is worked on. */
export async function placeOf(
  tx: Tx,
  { project, type, waitMs }: Queued,
  { modelTargets }: Settings,
): Promise<{ readonly requires: readonly string[]; readonly template: Place | undefined }> {
  const way = await routed(tx, { project, type, modelTargets });
  // One that waits first would look too late, and maybe waits because of that model.
  const isProbe = waitMs === 0 && way?.standsIn?.isDue === true && (await lookerOf(tx, way)) === undefined;
  const taken = isProbe ? way?.first : way?.taken;
  const agent = taken?.agent ?? project.agent;
  return {
    requires: agent === null ? [] : [`agent:${agent.kind}`],
    template: taken === undefined || way === undefined ? undefined : standingFor(taken.id, way),
  };
}

/** A project was changed: its agent or its router, what it asks of a machine, or whether its tickets wait for each other. */
export async function refitRuns(tx: Tx, projectId: string, settings: Settings): Promise<void> {
  await reroute(tx, projectId, settings);
  failpoint('runs-rerouted');
  await tx.query(refitRunRows, [tx.tenantId, projectId, null]);
  await wakeClaims(tx);
}

/** A template, the router of the tenant or the breaker of a model was changed: whatever waits goes by what holds now. */
export async function refitAllRuns(tx: Tx, settings: Settings): Promise<void> {
  for (const { id } of await tx.query(projectsRouted, [tx.tenantId])) await refitRuns(tx, id, settings);
}

/** What waits with a template that stands in for another: it may be time to look whether the first one's model answers again. */
export async function lookAgain(tx: Tx, projectId: string, settings: Settings): Promise<void> {
  if ((await reroute(tx, projectId, settings)) === 0) return;
  await tx.query(refitRunRows, [tx.tenantId, projectId, null]);
  await wakeClaims(tx);
}

/** The same for one run that has come back to the queue by itself: what was changed while it was held holds for it too. */
export async function routeAnew(
  tx: Tx,
  { run, waitMs }: { readonly run: RunRow; readonly waitMs: number },
  settings: Settings,
): Promise<void> {
  if (run.ticketId === null || run.projectId === null || !routedSubjects.has(run.subjectType)) return;
  const project = await getProject(tx, run.projectId);
  const { type } = await getTicket(tx, run.ticketId);
  const { template } = await placeOf(tx, { project, type, waitMs }, settings);
  const place = { ids: [template?.id ?? null, template?.fallbackOf ?? null], why: template?.why ?? null };
  if ((await move(tx, { projectId: project.id, type, runId: run.id, kept: null }, place)) > 0)
    await tx.query(refitRunRows, [tx.tenantId, project.id, run.id]);
}

const routedSubjects: ReadonlySet<string> = new Set(['ticket', 'conflict']);

/** Returns how many runs are worked on by another template than before. */
async function reroute(tx: Tx, projectId: string, { modelTargets }: Settings): Promise<number> {
  const project = await getProject(tx, projectId);
  let moved = 0;
  for (const type of routedTypes) {
    const way = await routed(tx, { project, type, modelTargets });
    const place = way === undefined ? undefined : standingFor(way.taken.id, way);
    const isDue = way?.standsIn?.isDue === true;
    // The one that looks stays where it is, and no other.
    const looker = isDue ? await lookerOf(tx, way) : undefined;
    const of = { projectId, type, runId: null, kept: looker ?? null };
    moved += await move(tx, of, { ids: [place?.id ?? null, place?.fallbackOf ?? null], why: place?.why ?? null });
    if (isDue && looker === undefined) moved += await sendOne(tx, { projectId, type }, way);
  }
  return moved;
}

interface Which {
  readonly projectId: string;
  readonly type: string;
  /** Only this one; null: all that wait. */
  readonly runId: string | null;
  /** This one is left alone. */
  readonly kept: string | null;
}

async function move(
  tx: Tx,
  { projectId, type, runId, kept }: Which,
  { ids, why }: { readonly ids: readonly (string | null)[]; readonly why: string | null },
): Promise<number> {
  const moved = await tx.query(rerouteRunRows, [tx.tenantId, projectId, type, ...ids, runId, kept]);
  for (const run of moved) announceRun(tx, run, { type: 'run.routed', template: run.template, fallbackOf: run.fallbackOf, why });
  return moved.length;
}

/** The first that waits goes to the template that the router names, so that one call shows whether its model answers again. */
async function sendOne(tx: Tx, { projectId, type }: Pick<Which, 'projectId' | 'type'>, { first }: Routed): Promise<number> {
  const [probe] = await tx.query(probeRow, [tx.tenantId, projectId, type]);
  if (probe === undefined) return 0;
  return move(
    tx,
    { projectId, type, runId: probe.id, kept: null },
    { ids: [first.id, null], why: 'to see whether its model answers again' },
  );
}

/** The run that works by the first template, or is about to, and so shows how its model is. */
async function lookerOf(tx: Tx, { first }: Routed): Promise<string | undefined> {
  return (await tx.query(lookingRun, [tx.tenantId, first.id]))[0]?.id;
}

function standingFor(id: string, { first, standsIn }: Routed): Place {
  const isOther = id !== first.id;
  return { id, fallbackOf: isOther ? first.id : null, why: isOther ? (standsIn?.why ?? null) : null };
}
