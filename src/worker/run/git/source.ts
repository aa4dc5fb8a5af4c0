import { runFailure } from '../../failure.ts';
import type { CommitFiles } from '../../repository/tree.ts';
import type { Sandbox, SandboxSpec } from '../../sandbox.ts';
import type { Run } from '../run.ts';
import { checkOut, mirrorInside } from './checkout.ts';
import type { CheckOut } from './checkout.ts';

/** The repository of a run's project as it is on this machine, with all commits that the run is about. */
export interface Source {
  /** To be shown in a sandbox. */
  readonly folder: SandboxSpec['folders'][number];
  /** Throws a run failure `repository` where the copy lacks something also after it was made again. */
  checkOut(sandbox: Sandbox, at: CheckOut): Promise<void>;
  files(commit: string): Promise<CommitFiles>;
}

/** Throws what `Repositories` throws. */
export async function openSource({ claimed, tools, signal }: Run): Promise<Source> {
  const { commit, merge, base = null, origin = null, object_format: objectFormat } = claimed.task;
  const key = { runId: claimed.run.id, token: claimed.lease.token };
  const ground = claimed.setup === null ? [] : [base, origin];
  const commits = [...new Set([commit, merge, ...ground].filter(each => each !== null))];
  const wanted = { projectId: claimed.project.id, objectFormat, commits, key, signal };
  let copy = await tools.repositories.open(wanted);
  return {
    folder: { from: copy.path, to: mirrorInside },
    async checkOut(sandbox, at) {
      if (await checkOut(sandbox, at)) return;
      copy = await tools.repositories.replace(copy, wanted);
      if (await checkOut(sandbox, at)) return;
      throw runFailure('repository', `The copy of the repository on the worker's machine lacks a part of ${at.commit}`);
    },
    files: each => tools.repositories.files(copy, { commit: each, signal }),
  };
}
