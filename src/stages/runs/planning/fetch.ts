import { Fault } from '../../../kernel/fault.ts';
import type { ProjectRow } from '../../../support/projects/index.ts';
import type { BareRepository, Depot, Upstream } from '../../../support/repositories/index.ts';

export interface Sources {
  readonly depot: Depot;
  readonly upstream: Upstream;
}

export interface StartingPoint {
  readonly commit: string;
  readonly objectFormat: BareRepository['objectFormat'];
}

const fetchTimeoutMs = 900_000;
/** No branch is written to here; the look asks for the name of one. */
const anyBranch = 'skep/planning';

/**
 * Brings the commit that HEAD of the user's repository names into Skep's copy, for a plan to be made on. Where there is none, it is
 * Skep's own empty one. Throws Fault `repository_unavailable`, which says what is wrong and how to mend it.
 */
export async function fetchPlanBase({ depot, upstream }: Sources, { id, repository }: ProjectRow): Promise<StartingPoint> {
  if (repository === null) return emptyBase(await depot.open(id));
  const signal = AbortSignal.timeout(fetchTimeoutMs);
  const look = await upstream.look(repository, { branch: anyBranch, signal });
  const repo = await depot.open(id, look.objectFormat);
  if (look.commit === undefined) return emptyBase(repo);
  const { gitDir, lock, objectFormat } = repo;
  return { commit: await upstream.fetch(repository, { gitDir, lock, ref: 'refs/skep/upstream', signal }), objectFormat };
}

/**
 * Skep's copy with the commit of a plan in it. It is a cache: where it was lost it is fetched again. Throws Fault
 * `repository_unavailable`, also where the user's repository does not have that commit any more.
 */
export async function ensurePlanBase(parts: Sources, project: ProjectRow, base: StartingPoint): Promise<BareRepository> {
  const repo = await parts.depot.open(project.id, base.objectFormat);
  if (await repo.objects.has(base.commit)) return repo;
  if ((await repo.merging.rootCommit()) !== base.commit) await fetchPlanBase(parts, project);
  if (await repo.objects.has(base.commit)) return repo;
  throw new Fault('repository_unavailable', {
    message: `The repository does not have the commit ${base.commit} any more, on which this was planned`,
    hint: 'Have the spec planned on what it has now: skep session generate',
  });
}

async function emptyBase(repo: BareRepository): Promise<StartingPoint> {
  return { commit: await repo.merging.rootCommit(), objectFormat: repo.objectFormat };
}
