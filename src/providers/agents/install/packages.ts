import { readFileSync } from 'node:fs';
import type { AgentSettings } from '../../../worker/agent.ts';

export type InstalledKind = Exclude<AgentSettings['kind'], 'exec' | 'acp' | 'model' | 'http'>;

interface AgentPackage {
  readonly name: string;
  /** The one that its adapter was made and tried with. */
  readonly version: string;
  /** The file, in the folder of an install, that is started; and whether Node starts it. */
  readonly program: string;
  readonly needsNode: boolean;
  /** Folders of an install that its program wants in front of PATH. */
  readonly path: readonly string[];
}

const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
const claudePlatform = `node_modules/@anthropic-ai/claude-code-linux-${arch}`;
const codexVendor = process.arch === 'arm64' ? 'aarch64-unknown-linux-musl' : 'x86_64-unknown-linux-musl';
const codexPlatform = `node_modules/@openai/codex-linux-${arch}/vendor/${codexVendor}`;
const geminiPackage = 'node_modules/@google/gemini-cli';
const qwenPackage = 'node_modules/@qwen-code/qwen-code';
const piPackage = 'node_modules/@earendil-works/pi-coding-agent';

/**
 * Agents that Skep installs. Each version is exact, and `locks/` holds its npm lockfile with the sha512 of every package that comes
 * with it: what is installed is what was tried here, byte for byte.
 */
export const packages: Readonly<Record<InstalledKind, AgentPackage>> = {
  claude: {
    name: '@anthropic-ai/claude-code',
    version: '2.1.197',
    // A script of the package would link it to its own launcher; no script is run.
    program: `${claudePlatform}/claude`,
    needsNode: false,
    path: [],
  },
  codex: {
    name: '@openai/codex',
    version: '0.169.0',
    // Not the package's own launcher, which looks for this and starts it.
    program: `${codexPlatform}/bin/codex`,
    needsNode: false,
    path: [`${codexPlatform}/codex-path`],
  },
  gemini: {
    name: '@google/gemini-cli',
    version: '0.61.0',
    program: `${geminiPackage}/bundle/gemini.js`,
    needsNode: true,
    path: [],
  },
  pi: {
    name: '@earendil-works/pi-coding-agent',
    version: '0.74.2',
    program: `${piPackage}/dist/cli.js`,
    needsNode: true,
    path: [],
  },
  qwen: {
    name: '@qwen-code/qwen-code',
    version: '0.15.10',
    program: `${qwenPackage}/cli.js`,
    needsNode: true,
    path: [],
  },
};

export const installedKinds = Object.keys(packages) as readonly InstalledKind[];

/** Where a sandbox sees an install. */
export function folderInside(kind: InstalledKind): string {
  return `/skep/agents/${kind}`;
}

/** How it is started in a sandbox whose Node is `node`. */
export function installedInside(
  kind: InstalledKind,
  node: string,
): { readonly argv: readonly [string, ...string[]]; readonly path: readonly string[]; readonly packageFolder: string } {
  const { name, program, needsNode, path } = packages[kind];
  const within = (file: string): string => `${folderInside(kind)}/${file}`;
  return {
    argv: needsNode ? [node, within(program)] : [within(program)],
    path: path.map(within),
    packageFolder: within(`node_modules/${name}`),
  };
}

/** A lockfile of npm, as text. */
export function lockText(kind: InstalledKind): string {
  return readFileSync(new URL(`./locks/${kind}.json`, import.meta.url), 'utf8');
}

export interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
}

/** Its packages, by the folder that each is put into. */
export function lockedPackages(lock: string): Readonly<Record<string, LockedPackage>> {
  return (JSON.parse(lock) as { readonly packages: Readonly<Record<string, LockedPackage>> }).packages;
}
