import { randomBytes } from 'node:crypto';
import type { Layer, Taken } from '../../dependencies/index.ts';
import { runFailure } from '../../failure.ts';
import { limitsOf } from '../../sandbox.ts';
import type { Sandbox } from '../../sandbox.ts';
import type { Run } from '../run.ts';
import { gitFiles, gitInside, templatePath } from './inside.ts';
import type { Source } from './source.ts';

/**
 * The check-out of the run's commit as it was made before, in a sandbox of its own in which nothing but git has run; to be given back.
 * Undefined where it is worth nothing, or cannot be made: then the commit is checked out as ever. Throws the signal's reason alone.
 */
export async function preparedCheckOut(run: Run, source: Source): Promise<Taken | undefined> {
  const { claimed, tools, signal } = run;
  const { commit, merge } = claimed.task;
  if (merge !== null || (await tools.sandboxes.layers?.()) !== true) return undefined;
  const name = `${claimed.project.id} ${commit} ${claimed.limits.workspace_bytes}`;
  try {
    return await tools.checkOuts.take(name, { make: () => prepare(run, source), signal });
  } catch (error) {
    signal.throwIfAborted();
    tools.log.debug({ commit, error: String(error) }, 'a check-out could not be prepared');
    return undefined;
  }
}

const branch = 'skep/prepared';

async function prepare({ claimed, tools, signal }: Run, source: Source): Promise<Layer> {
  const { commit, object_format: objectFormat } = claimed.task;
  await source.isThere();
  const sandbox = await tools.sandboxes.create({
    id: `checkout-${randomBytes(8).toString('hex')}`,
    limits: limitsOf(claimed.limits),
    files: gitFiles,
    folders: [await source.folder()],
  });
  try {
    await source.checkOut(sandbox, { branch, commit, objectFormat, merge: null, signal });
    const { ok, words } = await gitInside(sandbox, ageScript, { args: [], signal });
    if (!ok || sandbox.snapshot === undefined) throw runFailure('sandbox', `a check-out can't be kept: ${words}`);
    const { workspaceBytes = 0 } = await sandbox.stats();
    return { snapshot: await sandbox.snapshot(), exclude: '', bytes: workspaceBytes };
  } finally {
    await sandbox.kill().catch((error: unknown) => {
      tools.log.error({ sandbox: sandbox.id, error: String(error) }, 'the sandbox of a check-out could not be removed');
    });
  }
}

// Git can't trust what it knows of a file that is as new as its index, and would read all of them again.
const ageScript = `
git ls-files -z | xargs -0 -r touch --no-create --no-dereference --date='1 hour ago' --
git update-index -q --refresh`;

interface TakeOver {
  readonly branch: string;
  /** Something lies over it. */
  readonly isCovered: boolean;
  readonly signal: AbortSignal;
}

/** Makes a prepared check-out that of a run: its branch, and what is no work there. Throws a run failure `repository`. */
export async function takeOver(sandbox: Sandbox, { branch: own, isCovered, signal }: TakeOver): Promise<void> {
  const args = [branch, own, templatePath, ...(isCovered ? ['covered'] : [])];
  const { ok, words } = await gitInside(sandbox, script, { args, signal });
  if (!ok) throw runFailure('repository', `The check-out failed: ${words}`);
}

// What a setup has left may hide anything of the commit, as a folder in the place of a file.
const script = `
git branch --move "$1" "$2"
[ ! -e "$3/info/exclude" ] || { mkdir -p .git/info; cp "$3/info/exclude" .git/info/exclude; }
[ -z "$4" ] || git reset --quiet --hard`;
