import { execa } from 'execa';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../../kernel/clock.ts';
import { Fault } from '../../../kernel/fault.ts';
import { createInstalls, installFolder } from './installs.ts';
import { holding, isAlive, thisProcess } from './lock.ts';
import { lockedPackages, lockText, ownNode, packages } from './packages.ts';
import type { Installable } from './packages.ts';

export interface Installing {
  /** Where agents are kept. */
  readonly folder: string;
  readonly clock: Clock;
  /** What is going on, in a few words. */
  readonly onStep: (words: string) => void;
  /** Ends the installing: its reason is thrown, and nothing is left. */
  readonly signal?: AbortSignal | undefined;
}

/** 400 MB at a megabit a second take longer than anybody waits. */
const installMsMax = 1_800_000;

/**
 * Installs an agent at its one version, and returns the folder; where it is there already, at once. It is made beside and renamed
 * when it is whole and every package has the sha512 that is written down here, so that a killed install leaves nothing half. Throws
 * Fault `failed`, which says what npm said, `disk_full`, or `wrong_state` where another process installs it and does not end.
 */
export async function installAgent(kind: Installable, { folder, clock, onStep, signal }: Installing): Promise<string> {
  const find = (): string | undefined => createInstalls(folder).find(kind);
  const before = find();
  if (before !== undefined) return before;
  await mkdir(join(folder, kind), { recursive: true, mode: 0o755 });
  const onWait = (): void => onStep(`another process installs ${kind}; waiting for it`);
  return holding(join(folder, `${kind}.lock`), { clock, waitMsMax: installMsMax, onWait }, async () => {
    const meanwhile = find();
    if (meanwhile !== undefined) return meanwhile;
    await removeLeftovers(folder);
    const { name, version } = packages[kind];
    onStep(`installing ${name} ${version} from the npm registry`);
    return make(kind, { folder, signal });
  });
}

async function make(kind: Installable, { folder, signal }: Pick<Installing, 'folder' | 'signal'>): Promise<string> {
  const draft = join(folder, `${draftPrefix}${thisProcess()}~${randomUUID()}`);
  const made = installFolder(folder, kind);
  try {
    await mkdir(draft, { mode: 0o755 });
    await download(kind, { draft, signal });
    verify(kind, draft);
    await letRead(draft);
    // What stands there has no program that can be started, or it would have been found.
    await rm(made, { recursive: true, force: true });
    await rename(draft, made);
    return made;
  } catch (error) {
    throw spaceFault(error);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

const draftPrefix = 'draft~';

/** What installs that were killed have left. */
async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const [, owner = ''] = name.split('~');
    if (name.startsWith(draftPrefix) && !isAlive(owner)) await rm(join(folder, name), { recursive: true, force: true });
  }
}

// No script of a package is run: none of ours needs one. That a package wants a newer Node than npm's is seen to here.
const npm = [
  'ci',
  '--ignore-scripts',
  '--no-engine-strict',
  '--no-audit',
  '--no-fund',
  '--omit=dev',
  '--no-update-notifier',
  '--loglevel=error',
];

/** Of no use to npm, which talks to a registry. */
const secrets = ['SKEP_TOKEN', 'DATABASE_URL', 'ANTHROPIC_API_KEY', 'OPENAI_API_KEY', 'GEMINI_API_KEY'];

async function download(kind: Installable, { draft, signal }: { draft: string; signal: AbortSignal | undefined }): Promise<void> {
  const lock = lockText(kind);
  await writeFile(join(draft, 'package.json'), JSON.stringify({ ...lockedPackages(lock)[''], private: true }));
  await writeFile(join(draft, 'package-lock.json'), lock);
  const { failed, code, timedOut, stderr } = await execa('npm', npm, {
    ...{ cwd: draft, reject: false, stdin: 'ignore', timeout: installMsMax, maxBuffer: 1_048_576 },
    ...(signal === undefined ? {} : { cancelSignal: signal }),
    env: Object.fromEntries(secrets.map(secret => [secret, undefined])),
  });
  signal?.throwIfAborted();
  if (!failed) return;
  if (code === 'ENOENT') {
    throw new Fault('failed', {
      message: `${kind} cannot be installed: npm is not on PATH`,
      hint: 'npm comes with Node: https://nodejs.org',
    });
  }
  throw new Fault('failed', {
    message: `${kind} could not be installed${timedOut ? ` within ${installMsMax / 60_000} minutes` : ''}: ${wordsOf(stderr)}`,
    hint: hintOf(stderr),
  });
}

function wordsOf(stderr: string): string {
  const lines = stderr.split('\n').map(line => line.replace(/^npm (?:error|warn) ?/, '').trim());
  return (
    lines
      .filter(line => line !== '' && !/complete log|Unknown \w+ config|^at |^[{}]|^\w+: ['\d]/.test(line))
      .join(' ')
      // A registry may be named with a name and a password.
      .replace(/\/\/[^/@\s]*@/g, '//')
      .slice(0, 1_000) || 'npm said nothing'
  );
}

function hintOf(stderr: string): string {
  if (/EINTEGRITY/.test(stderr))
    return 'What the registry serves is not what was published: look at your registry and proxies before you try again';
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|network/i.test(stderr)) {
    return 'This needs the npm registry: look at the network of this machine, or at `npm config get registry`';
  }
  return 'The words are those of npm';
}

/** npm compares each package with its lockfile when it unpacks it; here it is seen that it unpacked those and no others. */
function verify(kind: Installable, draft: string): void {
  const pinned = lockedPackages(lockText(kind));
  const found = lockedPackages(readFileSync(join(draft, 'node_modules/.package-lock.json'), 'utf8'));
  const strange = Object.entries(found).find(
    ([path, { integrity }]) => integrity === undefined || pinned[path]?.integrity !== integrity,
  );
  if (strange !== undefined) {
    throw new Fault('failed', { message: `${kind} was not installed: ${strange[0]} is not the package that is expected` });
  }
  const { name, program } = packages[kind];
  const files = [program, ownNode(kind) ?? program];
  if (found[`node_modules/${name}`] !== undefined && files.every(file => existsSync(join(draft, file)))) return;
  throw new Fault('failed', {
    message: `${kind} was not installed: its package has no program for ${process.platform} on ${process.arch}`,
    hint: 'Sandboxes, and with them agents, need Linux on x86-64 or arm64',
  });
}

/** Whatever the umask is: in a sandbox another user reads it. */
async function letRead(draft: string): Promise<void> {
  await chmod(draft, 0o755);
  await execa('chmod', ['-R', 'a+rX', draft]);
}

function spaceFault(error: unknown): unknown {
  const isFull = /ENOSPC|EDQUOT|no space left/i.test(error instanceof Error ? error.message : String(error));
  return isFull ? new Fault('disk_full', { message: 'There is no space left to install an agent', cause: error }) : error;
}
