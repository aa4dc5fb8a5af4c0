import { createHash, randomUUID } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Renamed into place: another process of this folder may be reading it. */
export async function writeConfig(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeWhole(path, hostConfig);
}

/** The same settings, and trust in one git folder that belongs to another user. */
export async function writeTrusting(path: string, trusted: string): Promise<string> {
  const named = `${path}-${createHash('sha256').update(trusted).digest('hex')}`;
  const value = trusted.replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return writeWhole(named, `${hostConfig}[safe]\n\tdirectory = "${value}"\n`);
}

async function writeWhole(path: string, content: string): Promise<string> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, content);
  await rename(draft, path);
  return path;
}

// fsck stays off for fetches from the user's repository: many old histories hold objects that it refuses, and nothing is checked
// out on the host. What comes from an agent is checked where it is taken in.
//
// A file above the threshold is compared and packed as if it were binary, without being held in memory.
//
// A network that is dead says nothing at all; a server that takes long to begin sends a few bytes now and then.
const hostConfig = `[core]
	hooksPath = /dev/null
	fsmonitor = false
	attributesFile = /dev/null
	excludesFile = /dev/null
	bigFileThreshold = 32m
	fsync = committed
[safe]
	bareRepository = explicit
[fetch]
	recurseSubmodules = false
[submodule]
	recurse = false
[diff]
	ignoreSubmodules = all
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

export interface EnvironmentOptions {
  readonly configPath: string;
  /** Where git runs: no repository, and nothing above it is looked at. */
  readonly folder: string;
  /** Whether another repository may be reached. */
  readonly reachesOut: boolean;
  readonly secretConfig: Readonly<Record<string, string>>;
}

/** Nothing of what the machine or the user has configured for git, and no transport that isn't needed. */
export function environmentOf({ configPath, folder, reachesOut, secretConfig }: EnvironmentOptions): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries([...inheritedByGit, ...notForGit].map(name => [name, undefined])),
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: configPath,
    GIT_ATTR_NOSYSTEM: '1',
    // Set and empty refuses every one, also what a repository's own settings allow by name.
    GIT_ALLOW_PROTOCOL: reachesOut ? 'file:https:http:ssh:git' : '',
    GIT_NO_LAZY_FETCH: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_ASKPASS: 'true',
    GIT_SSH_COMMAND: 'ssh -oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=15 -oServerAliveCountMax=4',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    // A small pack can hold an object that is huge.
    GIT_ALLOC_LIMIT: '1g',
    GIT_CEILING_DIRECTORIES: dirname(folder),
    ...configured(secretConfig),
  };
}

const notForGit = ['SKEP_TOKEN', 'DATABASE_URL'];

// A process that was started from a git hook would otherwise work on the repository of that hook.
const inheritedByGit = [
  'GIT_DIR',
  'GIT_WORK_TREE',
  'GIT_INDEX_FILE',
  'GIT_NAMESPACE',
  'GIT_OBJECT_DIRECTORY',
  'GIT_ALTERNATE_OBJECT_DIRECTORIES',
  'GIT_QUARANTINE_PATH',
  'GIT_COMMON_DIR',
  'GIT_CONFIG',
  'GIT_CONFIG_COUNT',
  'GIT_CONFIG_PARAMETERS',
  'GIT_EXEC_PATH',
  'GIT_EXTERNAL_DIFF',
  'GIT_DIFF_OPTS',
  'GIT_LITERAL_PATHSPECS',
  'GIT_GLOB_PATHSPECS',
  'GIT_NOGLOB_PATHSPECS',
  'GIT_ICASE_PATHSPECS',
  'GIT_ATTR_SOURCE',
  'GIT_GRAFT_FILE',
  'GIT_PROTOCOL',
  'GIT_PROXY_COMMAND',
  'GIT_SSH',
  'GIT_SHALLOW_FILE',
  'GIT_TEMPLATE_DIR',
  'GIT_TRACE',
  'GIT_TRACE2',
  'GIT_TRACE2_EVENT',
  'GIT_TRACE_PACKET',
  'GIT_TRACE_CURL',
];

function configured(settings: Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(settings);
  if (pairs.length === 0) return {};
  const named = pairs.flatMap(([key, value], i) => [
    [`GIT_CONFIG_KEY_${i}`, key],
    [`GIT_CONFIG_VALUE_${i}`, value],
  ]);
  return { GIT_CONFIG_COUNT: String(pairs.length), ...(Object.fromEntries(named) as Record<string, string>) };
}
