import { access, constants, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { findLocal, parseRemote } from '../../../git/index.ts';
import type { GitOptions, Local } from '../../../git/index.ts';
import { Fault } from '../../../kernel/fault.ts';

/** What git is told, to reach a repository. */
export interface Source {
  /** A path or a URL without a password: fit to be shown. */
  readonly url: string;
  readonly local: Local | undefined;
  readonly reaching: Pick<GitOptions, 'secretConfig' | 'trusted' | 'reachesOut'>;
  /** Options that name the program which git starts in a local repository. */
  readonly uploadPack: readonly string[];
  readonly receivePack: readonly string[];
}

/** Nothing below a folder of `own` is taken for a user's repository. Throws Fault `repository_unavailable`. */
export async function sourceOf(repository: string, own: readonly string[]): Promise<Source> {
  const remote = parseRemote(repository);
  if (remote === undefined)
    throw new Fault('repository_unavailable', {
      message: `The repository '${repository}' is neither an absolute path nor a URL that git can clone`,
      hint: 'Give an absolute path, or a URL that starts with https://, http://, ssh://, git:// or file://',
    });
  const { url, secretConfig } = remote;
  if (!url.startsWith('/'))
    return { url, local: undefined, reaching: { secretConfig, reachesOut: true }, uploadPack: [], receivePack: [] };
  const local = await findLocal(url, own);
  const isOurs = local.uid === process.geteuid?.();
  return {
    url: local.path,
    local,
    reaching: { trusted: isOurs ? undefined : local.path, reachesOut: true },
    uploadPack: [`--upload-pack=${commandIn(local)} upload-pack --strict`],
    receivePack: [`--receive-pack=${commandIn(local)} receive-pack`],
  };
}

/**
 * A root worker enters another user's repository as that user, who can lead git with links and alternates to what that user may
 * reach anyway, and without the worker's environment, which the user could see.
 */
export function asOwner({ uid, gid }: Local): readonly string[] {
  if (process.geteuid?.() !== 0 || uid === 0) return [];
  const env = ['PATH=/usr/local/bin:/usr/bin:/bin', 'LC_ALL=C', 'GIT_CONFIG_NOSYSTEM=1', 'GIT_CONFIG_GLOBAL=/dev/null'];
  const user = [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--no-new-privs'];
  return ['env', '-i', ...env, 'GIT_PROTOCOL=version=2', ...restricted, 'setpriv', ...user];
}

/** Git hands these words to a shell: nothing in them comes from outside. */
function commandIn(local: Local): string {
  const through = asOwner(local);
  return [...(through.length > 0 ? through : restricted), 'git', ...settings.flatMap(setting => ['-c', setting])].join(' ');
}

/** No transport can be started from inside a repository: in a partial clone git fetches what it misses by the clone's own settings. */
const restricted = [
  'GIT_ALLOW_PROTOCOL=',
  'GIT_NO_LAZY_FETCH=1',
  'GIT_TERMINAL_PROMPT=0',
  // Of the line in the reflog.
  'GIT_COMMITTER_NAME=Skep',
  'GIT_COMMITTER_EMAIL=skep@localhost',
];

/**
 * What a repository's own settings could start otherwise, and what would change more than one ref of it. A setting of a command
 * line wins over those of the repository. receive.procReceiveRefs cannot be unset: its hook is then not found, and the push
 * is refused.
 */
const settings = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.sshCommand=false',
  'core.alternateRefsCommand=true',
  'receive.denyCurrentBranch=refuse',
  'receive.autogc=false',
  'receive.updateServerInfo=false',
  'gc.auto=0',
  'maintenance.auto=false',
];

/** Whether objects and branches can be added, as far as the file system tells. */
export async function isWritable({ common, uid, gid }: Local): Promise<boolean> {
  const folders = [join(common, 'objects'), join(common, 'refs'), join(common, 'refs/heads')];
  const answers = await Promise.all(folders.map(folder => mayWrite(folder, { uid, gid })));
  return answers.every(Boolean);
}

async function mayWrite(folder: string, owner: { readonly uid: number; readonly gid: number }): Promise<boolean> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) return folder.endsWith('heads');
  if (process.geteuid?.() === 0 && owner.uid !== 0) {
    const bits = found.uid === owner.uid ? 0o300 : found.gid === owner.gid ? 0o030 : 0o003;
    return (found.mode & bits) === bits;
  }
  return access(folder, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  );
}
