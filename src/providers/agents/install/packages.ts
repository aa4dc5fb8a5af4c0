import { readFileSync } from 'node:fs';
import type { AgentSettings } from '../../../worker/agent.ts';

/** Agents that have an adapter of their own. */
export type InstalledKind = Exclude<AgentSettings['kind'], 'exec' | 'acp' | 'model' | 'http'>;

/** Programs by which agents speak the Agent Client Protocol that do not by themselves: an `acp` agent is one by its name. */
const bridges = ['claude-agent-acp', 'codex-acp'] as const;
type Bridge = (typeof bridges)[number];

export type Installable = InstalledKind | Bridge;

interface AgentPackage {
  readonly name: string;
  /** The one that its adapter was made and tried with. */
  readonly version: string;
  /** The file, in the folder of an install, that is started. */
  readonly program: string;
  /** The Node that starts it: the machine's, or one of this version that is installed with it. */
  readonly node?: 'machine' | typeof newerNode;
  /** Folders of an install that its program wants in front of PATH. */
  readonly path: readonly string[];
  /** What it is asked for its version with, and what it then says, where that is not `--version` and its own. */
  readonly shown?: { readonly args: readonly string[]; readonly says: string };
}

const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
/** The version of Node for agents that do not run with the oldest that Skep runs with; a package of its own in their lockfile. */
const newerNode = '22.23.3';
const claudePlatform = `node_modules/@anthropic-ai/claude-code-linux-${arch}`;
const codexVendor = process.arch === 'arm64' ? 'aarch64-unknown-linux-musl' : 'x86_64-unknown-linux-musl';
const codexPlatform = `node_modules/@openai/codex-linux-${arch}/vendor/${codexVendor}`;
const geminiPackage = 'node_modules/@google/gemini-cli';
const qwenPackage = 'node_modules/@qwen-code/qwen-code';
const opencodePackage = `opencode-linux-${arch === 'arm64' ? 'arm64' : 'x64-baseline'}`;
const claudeBridge = '@agentclientprotocol/claude-agent-acp';
const codexBridge = '@agentclientprotocol/codex-acp';
const piPackage = 'node_modules/@earendil-works/pi-coding-agent';

/**
 * Agents that Skep installs. Each version is exact, and `locks/` holds its npm lockfile with the sha512 of every package that comes
 * with it: what is installed is what was tried here, byte for byte.
 */
export const packages: Readonly<Record<Installable, AgentPackage>> = {
  claude: {
    name: '@anthropic-ai/claude-code',
    version: '2.1.197',
    // A script of the package would link it to its own launcher; no script is run.
    program: `${claudePlatform}/claude`,
    path: [],
  },
  codex: {
    name: '@openai/codex',
    version: '0.169.0',
    // Not the package's own launcher, which looks for this and starts it.
    program: `${codexPlatform}/bin/codex`,
    path: [`${codexPlatform}/codex-path`],
  },
  gemini: {
    name: '@google/gemini-cli',
    version: '0.61.0',
    program: `${geminiPackage}/bundle/gemini.js`,
    node: 'machine',
    path: [],
  },
  opencode: {
    // Not the package that users install: that one brings two programs for x86-64 and has a script choose. This runs on all.
    name: opencodePackage,
    version: '1.18.18',
    program: `node_modules/${opencodePackage}/bin/opencode`,
    path: [],
  },
  pi: {
    name: '@earendil-works/pi-coding-agent',
    version: '0.74.2',
    program: `${piPackage}/dist/cli.js`,
    node: 'machine',
    path: [],
  },
  qwen: {
    name: '@qwen-code/qwen-code',
    version: '0.24.4',
    program: `${qwenPackage}/cli-entry.js`,
    node: newerNode,
    path: [],
  },
  'claude-agent-acp': {
    name: claudeBridge,
    version: '0.49.0',
    program: `node_modules/${claudeBridge}/dist/index.js`,
    node: 'machine',
    path: [],
    // It knows no version of its own; this is the one of the Claude Code that it brings.
    shown: { args: ['--cli', '--version'], says: '2.1.185' },
  },
  'codex-acp': {
    name: codexBridge,
    version: '2.6.0',
    program: `node_modules/${codexBridge}/dist/index.js`,
    node: 'machine',
    path: [],
  },
};

export const installables = Object.keys(packages) as readonly Installable[];
export const installedKinds = installables.filter(each => !isBridge(each)) as readonly InstalledKind[];

function isBridge(name: string): boolean {
  return bridges.some(bridge => bridge === name);
}

/** What must be installed for an agent; undefined where nothing must. A bridge goes by its bare name: a path is a program of the sandbox. */
export function installableOf(settings: AgentSettings): Installable | undefined {
  if (settings.kind === 'acp') return bridges.find(bridge => bridge === settings.command[0]);
  return installables.find(kind => kind === settings.kind);
}

/** Where a sandbox sees an install. */
export function folderInside(kind: Installable): string {
  return `/skep/agents/${kind}`;
}

/** How it is started in a sandbox in which the machine's Node is `node`. */
export function installedInside(
  kind: Installable,
  node: string,
): { readonly argv: readonly [string, ...string[]]; readonly path: readonly string[]; readonly packageFolder: string } {
  const { name, program, path, node: wanted } = packages[kind];
  const own = ownNode(kind);
  const within = (file: string): string => `${folderInside(kind)}/${file}`;
  const starter = own === undefined ? node : within(own);
  return {
    argv: wanted === undefined ? [within(program)] : [starter, within(program)],
    path: path.map(within),
    packageFolder: within(`node_modules/${name}`),
  };
}

/** The file, in the folder of an install, of the Node that came with it; undefined where none does. */
export function ownNode(kind: Installable): string | undefined {
  return packages[kind].node === newerNode ? `node_modules/node-linux-${arch}/bin/node` : undefined;
}

/** A lockfile of npm, as text. */
export function lockText(kind: Installable): string {
  return readFileSync(new URL(`./locks/${kind}.json`, import.meta.url), 'utf8');
}

export interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** Its packages, by the folder that each is put into. */
export function lockedPackages(lock: string): Readonly<Record<string, LockedPackage>> {
  return (JSON.parse(lock) as { readonly packages: Readonly<Record<string, LockedPackage>> }).packages;
}
