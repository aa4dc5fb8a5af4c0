import { execa } from 'execa';
import { createHash, randomUUID } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { lastWords, runFailure } from '../failure.ts';
import { runGroup } from './group.ts';
import type { GroupResult } from './group.ts';

/** Git on the host, for repositories that the host owns; it is never run where an agent can write. */
export interface HostGit {
  /** Runs git and returns what it printed. `lock` is a file that no other git holds meanwhile. Throws a run failure `repository`. */
  (args: readonly string[], options?: GitOptions): Promise<string>;
}

export interface GitOptions {
  readonly lock?: string;
  /** Settings that hold a secret: they pass through the environment, which other users can't read. */
  readonly secretConfig?: Readonly<Record<string, string>>;
  /** The git folder of another user that may be read all the same. */
  readonly trusted?: string | undefined;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/**
 * Removes what a git that was killed has left in `mirror`: its lock files would stop every later one. A git that lives holds
 * `lock` itself (flock hands it down), so this waits for it, even where the worker that started it is dead.
 */
export async function clearLocks(mirror: string, lock: string): Promise<void> {
  const find = ['find', mirror, '-name', '*.lock', '-type', 'f', '-delete'];
  await execa('flock', ['--exclusive', '--no-fork', lock, ...find], {
    reject: false,
    stdin: 'ignore',
    stdout: 'ignore',
    timeout: 600_000,
  });
}

/** Reads nothing of what the machine or the user has configured, and can start no program that a repository names. */
export async function createHostGit(folder: string, clock: Clock): Promise<HostGit> {
  const usual = await writeConfig(join(folder, 'gitconfig'), hostConfig);
  return async (args, { lock, secretConfig = {}, trusted, signal, timeoutMs = 120_000 } = {}) => {
    const argv = lock === undefined ? ['git', ...args] : ['flock', '--exclusive', '--no-fork', lock, 'git', ...args];
    const configPath = trusted === undefined ? usual : await writeConfig(`${usual}-${digest(trusted)}`, trusting(trusted));
    const result = await runGroup(argv, {
      ...{ cwd: folder, clock, timeoutMs, signal },
      // The folder is no repository and nothing above it is looked at: the settings of where the worker was started don't count.
      env: { ...environment(configPath), GIT_CEILING_DIRECTORIES: dirname(folder), ...configInEnvironment(secretConfig) },
    });
    signal?.throwIfAborted();
    if (result.ok) return result.stdout;
    const verb = args.find(arg => !arg.startsWith('-')) ?? '';
    throw runFailure('repository', explained({ ...result, program: argv[0] ?? '', verb, timeoutMs }));
  };
}

/** Renamed into place: another worker of this folder may be reading it. */
async function writeConfig(path: string, content: string): Promise<string> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, content);
  await rename(draft, path);
  return path;
}

function trusting(path: string): string {
  return `${hostConfig}[safe]\n\tdirectory = "${path.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"\n`;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

// fsck stays off for fetches from the user's repository: many old histories hold objects that it refuses, and nothing is checked
// out on the host. What comes back from an agent is checked by the server.
//
// A network that is dead says nothing at all; a server that takes long to begin sends a few bytes now and then.
const hostConfig = `[core]
	hooksPath = /dev/null
	fsmonitor = false
[fetch]
	recurseSubmodules = false
[submodule]
	recurse = false
[gc]
	auto = 0
[maintenance]
	auto = false
[http]
	lowSpeedLimit = 1
	lowSpeedTime = 60
[protocol "ext"]
	allow = never
`;

function environment(configPath: string): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(inheritedByGit.map(name => [name, undefined])),
    SKEP_TOKEN: undefined,
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: configPath,
    GIT_ALLOW_PROTOCOL: 'file:https:http:ssh:git',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=15 -oServerAliveCountMax=4',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
  };
}

// A worker that was started from a git hook would otherwise work on the repository of that hook.
const inheritedByGit = [
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_NAMESPACE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_COMMON_DIR',
  'GIT_CONFIG',
  'GIT_CONFIG_COUNT',
  'GIT_CONFIG_PARAMETERS',
  'GIT_EXEC_PATH',
  'GIT_EXTERNAL_DIFF',
  'GIT_PROXY_COMMAND',
  'GIT_SSH',
  'GIT_SHALLOW_FILE',
  'GIT_TEMPLATE_DIR',
];

function configInEnvironment(config: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(config).map(([key, value], i) => ({
    [`GIT_CONFIG_KEY_${i}`]: key,
    [`GIT_CONFIG_VALUE_${i}`]: value,
  }));
  return pairs.length === 0
    ? {}
    : (Object.assign({ GIT_CONFIG_COUNT: String(pairs.length) }, ...pairs) as Record<string, string>);
}

interface Failed extends GroupResult {
  readonly program: string;
  readonly verb: string;
  readonly timeoutMs: number;
}

function explained({ program, verb, timeoutMs, timedOut, code, stderr, exitCode }: Failed): string {
  if (code === 'ENOENT') return `${program} is not installed on the worker's machine`;
  if (timedOut) return `git ${verb} of the repository did not end within ${timeoutMs} ms`;
  const words = lastWords(Buffer.from(stderr.replace(/\/\/[^/@\s]*@/g, '//')));
  return `git ${verb} of the repository failed: ${words || `exit code ${exitCode ?? 'unknown'}`}`;
}
