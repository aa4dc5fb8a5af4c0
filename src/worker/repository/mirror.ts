import { execa } from 'execa';
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { clearLocks } from '../../git/index.ts';
import type { HostGit } from '../../git/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { fetchPack, moveRef, packsIn } from './direct.ts';
import { reaching } from './remote.ts';
import type { Remote } from './remote.ts';

/** A bare copy of a project's repository: a cache, which may be deleted while no run uses it. */
export interface Mirror {
  readonly path: string;
  isMade(): boolean;
  /** Which of these commits are in it, and what else a fetch can build on. Throws the signal's reason alone. */
  look(commits: readonly string[], signal: AbortSignal): Promise<Found>;
  /** Fetches where little can be lacking, quicker than `fetch`. Throws anything where that does not go well or is not worth it. */
  fetchLittle(wanted: Fetch, found: Found): Promise<void>;
  /** Makes the copy where there is none, and fetches. Throws the faults of `HostGit`. */
  fetch(wanted: Fetch): Promise<void>;
  /** Takes away what stopped the last fetch, where a git that was killed has left it. */
  unlock(): Promise<void>;
  /** Removes it when no other worker fetches into it. */
  remove(): Promise<void>;
}

export interface Found {
  /** Is there with all that it leads to: packs are installed whole, and what a fetch builds on was fetched whole. */
  readonly whole: readonly string[];
  readonly lacking: readonly string[];
}

export interface Fetch {
  readonly remote: Remote;
  readonly commits: readonly string[];
  readonly objectFormat: 'sha1' | 'sha256';
  readonly signal: AbortSignal;
}

interface Place {
  readonly folder: string;
  readonly projectId: string;
  /** Of `writeTemplate`. */
  readonly template: string;
  readonly git: HostGit;
  readonly clock: Clock;
}

const fetchTimeoutMs = 600_000;
const packsMax = 50;

/** The last commit that was fetched whole: git tells the server of it, and gets what is new since then. */
const lastRef = 'refs/skep/last';

export function mirrorOf({ folder, projectId, template, git, clock }: Place): Mirror {
  const path = join(folder, `${projectId}.git`);
  const lock = join(folder, `${projectId}.lock`);
  const inMirror = `--git-dir=${path}`;

  const isMade = (): boolean => existsSync(join(path, 'refs'));

  async function make({ objectFormat, signal }: Fetch): Promise<void> {
    if (isMade()) return;
    const how = ['--quiet', '--bare', `--template=${template}`, '--shared=0644', `--object-format=${objectFormat}`];
    await git.run(['init', ...how, '--', path], { lock, signal });
  }

  /** Each fetch leaves a pack. All objects are kept, also those that no ref names: another run may be reading them. */
  async function tidyUp(signal: AbortSignal): Promise<void> {
    if ((await packsIn(path)) > packsMax) await git.run([inMirror, 'repack', '--geometric=2', '-d', '--quiet'], { lock, signal });
  }

  return {
    ...{ path, isMade },
    async look(commits, signal) {
      const asked = [...commits, lastRef];
      const how = [inMirror, 'cat-file', '--batch-check=%(objecttype) %(objectname)'];
      const { stdout } = await git.run(how, { signal, input: asked.map(each => `${each}\n`).join(''), accepts: [0, 128] });
      const there = stdout
        .toString('latin1')
        .split('\n')
        .flatMap(line => (line.startsWith('commit ') ? [line.slice(7)] : []));
      return { whole: [...new Set(there)], lacking: commits.filter(commit => !there.includes(commit)) };
    },
    async fetchLittle({ remote, commits, objectFormat, signal }, { whole, lacking }) {
      if (whole.length === 0 || (await packsIn(path)) > packsMax) throw new Error('git is to fetch');
      await fetchPack({ path, lock, git, clock }, { remote, wants: lacking, haves: whole, objectFormat, signal });
      await moveRef(path, lastRef, commits.at(-1) ?? '');
    },
    async fetch(wanted) {
      await make(wanted);
      const { remote, commits, signal } = wanted;
      const refs = commits.map((commit, i) => (i === commits.length - 1 ? `+${commit}:${lastRef}` : commit));
      const how = ['--quiet', '--no-auto-maintenance', '--no-write-fetch-head', '--no-tags', '--update-shallow'];
      await git.run([inMirror, 'fetch', ...how, '--', remote.url, ...refs], {
        ...{ lock, signal, reachesOut: true, timeoutMs: fetchTimeoutMs },
        env: reaching(remote),
      });
      await tidyUp(signal);
    },
    unlock: () => clearLocks(path, lock),
    async remove() {
      await execa('flock', ['--exclusive', '--no-fork', lock, 'rm', '-rf', '--', path], { reject: false, stdin: 'ignore' });
    },
  };
}

/** What a new copy begins with. Returns its folder. */
export async function writeTemplate(folder: string): Promise<string> {
  const template = join(folder, 'template');
  await mkdir(template, { recursive: true });
  await writeFile(join(template, 'config'), templateConfig);
  return template;
}

// Sandboxes fetch by commit. With a limit of 1 no object is unpacked: a fetch that is killed leaves a pack that nobody sees, and no
// commit whose files are missing. What a lost disk takes is fetched again.
const templateConfig = `[uploadpack]
	allowAnySHA1InWant = true
[fetch]
	unpackLimit = 1
[core]
	fsync = none
`;
