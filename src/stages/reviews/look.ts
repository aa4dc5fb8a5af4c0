import { failpoint } from '../../kernel/failpoint.ts';
import { Fault } from '../../kernel/fault.ts';
import type { ProjectRow } from '../../support/projects/index.ts';
import type { BareRepository, Look, TrunkStart } from '../../support/repositories/index.ts';
import { detectChecks, filesToRead } from './model/detect.ts';
import type { ReviewParts } from './parts.ts';

type LookParts = Pick<ReviewParts, 'depot' | 'upstream'>;

const filesMax = 200_000;
const lookTimeoutMs = 900_000;

/**
 * Fetches what the repository's HEAD names, and finds the checks there. Throws Fault `repository_unavailable`, `branch_exists`
 * where `branch` is somebody's already, `push_refused` where nothing can be written. Where there is no commit yet, it is Skep's
 * own empty one.
 */
export async function lookAt(
  parts: LookParts,
  project: ProjectRow,
  branch: string,
): Promise<TrunkStart & { readonly isEmpty: boolean }> {
  const { repo, commit, notes } = await fetchBase(parts, project, branch);
  const isEmpty = commit === (await repo.merging.rootCommit());
  const found = project.checks === null ? await findChecks(repo, commit) : { checks: project.checks, notes: [] };
  const { objectFormat } = repo;
  return { commit, isEmpty, objectFormat, checks: found.checks, notes: [...notes, ...found.notes] };
}

interface Fetched {
  readonly repo: BareRepository;
  readonly commit: string;
  readonly notes: readonly string[];
}

async function fetchBase({ depot, upstream }: LookParts, { id, repository }: ProjectRow, branch: string): Promise<Fetched> {
  if (repository === null) {
    const repo = await depot.open(id);
    return {
      repo,
      commit: await repo.merging.rootCommit(),
      notes: ['the project has no repository: the work begins from nothing'],
    };
  }
  const signal = AbortSignal.timeout(lookTimeoutMs);
  const look = await upstream.look(repository, { branch, signal });
  refuseUnfit(repository, branch, look);
  const repo = await depot.open(id, look.objectFormat);
  if (look.commit === undefined) {
    const notes = ['the repository has no commit yet: the work begins from nothing'];
    return { repo, commit: await repo.merging.rootCommit(), notes: [...look.notes, ...notes] };
  }
  const { gitDir, lock } = repo;
  const commit = await upstream.fetch(repository, { gitDir, lock, ref: 'refs/skep/upstream', signal });
  failpoint('upstream-fetched');
  await refuseCommands(repo, commit, repository);
  return { repo, commit, notes: [...look.notes, ...(await repo.objects.notes(commit))] };
}

/** Git takes in no work that holds such a file: every attempt would be refused for what was there before. */
async function refuseCommands(repo: BareRepository, commit: string, repository: string): Promise<void> {
  const text = (await repo.objects.readFiles(commit, ['.gitmodules'])).get('.gitmodules') ?? '';
  if (!/^\s*update\s*=\s*"?!/im.test(text)) return;
  throw new Fault('repository_unavailable', {
    message: `The file .gitmodules of ${repository} names a command to update a submodule with (update = !…), which git refuses`,
    hint: 'Remove that line and commit; who wants the command can have it in .git/config',
  });
}

function refuseUnfit(repository: string, branch: string, look: Look): void {
  if (look.branchAt !== undefined) {
    throw new Fault('branch_exists', {
      message: `The repository ${repository} has a branch ${branch} already, at ${look.branchAt.slice(0, 12)}`,
      hint: `Skep writes to no branch of somebody else: rename or delete it (git branch -m ${branch} old), or give the spec another name`,
      facts: { branch },
    });
  }
  if (!look.isWritable) {
    throw new Fault('push_refused', {
      message: `The finished work could not be handed over. ${look.notes.join('. ')}`,
      hint: 'Mend that, so that its owner may write to it, and go on with: skep build --resume. Or build on a clone',
    });
  }
}

async function findChecks(repo: BareRepository, commit: string): Promise<Pick<TrunkStart, 'checks' | 'notes'>> {
  const { files } = await repo.objects.listFiles(commit, { max: filesMax });
  const paths = files.map(file => file.path);
  return detectChecks(paths, await repo.objects.readFiles(commit, filesToRead(paths)));
}
