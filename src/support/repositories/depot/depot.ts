import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createHostGit, wordsOf } from '../../../git/index.ts';
import type { HostGit } from '../../../git/index.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import { bareAt, objectId, skepRef } from './bare.ts';
import type { Bare } from './bare.ts';
import { makeBundle } from './bundle.ts';
import { historyOf } from './history.ts';
import { mergingIn } from './merging.ts';
import { objectsOf } from './objects.ts';
import { quarantine, receive } from './receive.ts';
import type { BareRepository, Depot, ObjectFormat } from './types.ts';
import { uploadPack } from './upload-pack.ts';

interface Options {
  /** Where the repositories lie: <project id>.git each. */
  readonly folder: string;
  readonly clock: Clock;
}

/** What a killed process left half-done is younger than this for as long as a live one may work on it. */
const abandonedMs = 86_400_000;

export async function createDepot({ folder, clock }: Options): Promise<Depot> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const git = await createHostGit(folder, clock);
  const formats = new Map<string, Promise<ObjectFormat>>();

  /** Asked of git once; a repository that was removed is made anew. */
  async function formatOf(gitDir: string, wanted: ObjectFormat): Promise<ObjectFormat> {
    const known = formats.get(gitDir);
    if (known !== undefined && (await isThere(gitDir))) return known;
    const found = prepare(git, gitDir, wanted);
    formats.set(gitDir, found);
    found.then(
      () => removeAbandoned(gitDir, clock.now() - abandonedMs),
      () => formats.delete(gitDir),
    );
    return found;
  }

  return {
    async open(projectId, objectFormat) {
      if (!/^[0-9a-z][0-9a-z-]{0,63}$/.test(projectId)) throw new Error(`no id of a project: ${JSON.stringify(projectId)}`);
      const gitDir = join(folder, `${projectId}.git`);
      const found = await formatOf(gitDir, objectFormat ?? 'sha1');
      if (objectFormat !== undefined && found !== objectFormat)
        throw new Fault('repository_unavailable', {
          message: `The repository names its commits by ${objectFormat}, and the project began with ${found}`,
          hint: 'Make another project for it: skep project create',
        });
      return repositoryOf(bareAt(git, { gitDir, lock: join(folder, `${projectId}.lock`), objectFormat: found, clock }));
    },
  };
}

function repositoryOf(bare: Bare): BareRepository {
  const { gitDir, lock, objectFormat } = bare;
  return {
    ...{ gitDir, lock, objectFormat },
    objects: objectsOf(bare),
    history: historyOf(bare),
    merging: mergingIn(bare),
    refs: {
      async read(ref) {
        const asked = await bare.run(['rev-parse', '--quiet', '--verify', '--end-of-options', skepRef(ref)], { accepts: [0, 1] });
        return asked.exitCode === 0 ? asked.stdout.toString('utf8').trim() : undefined;
      },
      async set(ref, commit) {
        await bare.alone(['update-ref', skepRef(ref), objectId(commit)]);
      },
      async delete(ref) {
        await bare.alone(['update-ref', '-d', skepRef(ref)]);
      },
    },
    transfer: {
      receive: bundle => receive(bare, bundle),
      bundle: what => makeBundle(bare, what),
      uploadPack: request => uploadPack(bare, request),
    },
  };
}

async function isThere(gitDir: string): Promise<boolean> {
  return stat(join(gitDir, 'HEAD')).then(
    () => true,
    () => false,
  );
}

/** Makes the repository where there is none. Of several that make it at once, the first to rename it into place wins. */
async function prepare(git: HostGit, gitDir: string, wanted: ObjectFormat): Promise<ObjectFormat> {
  if (!(await isThere(gitDir))) {
    const draft = `${gitDir}.${randomUUID()}`;
    await git.run([
      'init',
      '--quiet',
      '--bare',
      '--template=',
      '--initial-branch=skep',
      `--object-format=${wanted}`,
      '--',
      draft,
    ]);
    await rename(draft, gitDir).catch(async (error: unknown) => {
      await rm(draft, { recursive: true, force: true });
      if (!(await isThere(gitDir))) throw error;
    });
  }
  const format = await git.text([`--git-dir=${gitDir}`, 'rev-parse', '--show-object-format']).catch((error: unknown) => {
    throw wordsOf(error) === undefined ? error : new Error(`the repository ${gitDir} is damaged`, { cause: error });
  });
  return format === 'sha256' ? 'sha256' : 'sha1';
}

async function removeAbandoned(gitDir: string, before: number): Promise<void> {
  for (const name of await readdir(gitDir).catch(() => [])) {
    if (!name.startsWith(quarantine)) continue;
    const found = await stat(join(gitDir, name)).catch(() => undefined);
    if (found !== undefined && found.mtimeMs < before) await rm(join(gitDir, name), { recursive: true, force: true });
  }
}
