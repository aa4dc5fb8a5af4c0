import { runFailure } from '../../failure.ts';
import type { Copy } from '../../repository/index.ts';
import type { CommitFiles } from '../../repository/tree.ts';
import type { Sandbox, SandboxSpec } from '../../sandbox.ts';
import type { Started } from '../run.ts';
import { checkOut, mirrorInside } from './checkout.ts';
import type { CheckOut } from './checkout.ts';

/** The repository of a run's project as it is on this machine, with all commits that the run is about. */
export interface Source {
  /** To be shown in a sandbox: at once where there is a copy, while what it lacks is still on its way into it. */
  folder(): Promise<SandboxSpec['folders'][number]>;
  /**
   * Resolves when all commits are there. False where another copy has taken the place of what `folder` has named: a sandbox that
   * shows that is of no use. Throws what `Repositories` throws.
   */
  isThere(): Promise<boolean>;
  /** Throws a run failure `repository` where the copy lacks something also after it was made again. */
  checkOut(sandbox: Sandbox, at: CheckOut): Promise<void>;
  files(commit: string): Promise<CommitFiles>;
  /** Breaks off what is under way for it, and resolves when nothing is. */
  close(): Promise<void>;
}

/** Begins at once to bring the commits here: whoever needs them waits for that, and hears of it where it fails. */
export function openSource({ claimed, tools, signal: outer }: Pick<Started, 'claimed' | 'tools' | 'signal'>): Source {
  const { commit, merge, base = null, origin = null, object_format: objectFormat } = claimed.task;
  const key = { runId: claimed.run.id, token: claimed.lease.token };
  const ground = claimed.setup === null ? [] : [base, origin];
  const commits = [...new Set([commit, merge, ...ground].filter(each => each !== null))];
  const closing = following(outer);
  const { signal } = closing;
  const wanted = { projectId: claimed.project.id, objectFormat, commits, key, signal };
  let copy = tools.repositories.open(wanted);
  // Where nobody waits for it yet, or any more.
  copy.catch(() => {});
  let shown: Copy | undefined;

  return {
    async folder() {
      shown = (await tools.repositories.find(wanted.projectId)) ?? (await copy);
      return { from: shown.path, to: mirrorInside };
    },
    async isThere() {
      const { made } = await copy;
      return shown === undefined || shown.made === made;
    },
    async checkOut(sandbox, at) {
      const before = await copy;
      if (await checkOut(sandbox, at)) return;
      copy = tools.repositories.replace(before, wanted);
      copy.catch(() => {});
      await copy;
      if (await checkOut(sandbox, at)) return;
      throw runFailure('repository', `The copy of the repository on the worker's machine lacks a part of ${at.commit}`);
    },
    files: async each => tools.repositories.files(await copy, { commit: each, signal }),
    async close() {
      closing.end();
      await copy.catch(() => {});
    },
  };
}

/** A signal that is aborted with `outer`, and by `end`. */
function following(outer: AbortSignal): { readonly signal: AbortSignal; end(): void } {
  const inner = new AbortController();
  const onAbort = (): void => inner.abort(outer.reason);
  if (outer.aborted) onAbort();
  outer.addEventListener('abort', onAbort, { once: true });
  return {
    signal: inner.signal,
    end() {
      outer.removeEventListener('abort', onAbort);
      inner.abort(new Error('the run needs its repository no more'));
    },
  };
}
