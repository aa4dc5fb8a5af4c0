import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { Fault } from '../../../kernel/fault.ts';
import type { Controller } from '../local/host/cgroups.ts';
import { findProgram } from '../local/host/tools.ts';
import { gvisorFlags } from './gvisor.ts';

export type EngineName = 'podman' | 'docker';

/** A container engine of this machine. */
export interface Engine {
  readonly name: EngineName;
  /** The command line before the verb: program and what holds for each call. */
  readonly argv: readonly [string, ...string[]];
  readonly runtime: string;
  /** Whether a container's groups lie below a folder in memory that everybody may write: so does crun where they are of version 1. */
  readonly hasOpenGroups: boolean;
  /** As many files may be open at once in what this user starts. */
  readonly openFilesMax: number;
  readonly env: Readonly<Record<string, string>>;
  /** Runs a verb to its end; an Error with the engine's words where it fails. */
  run(args: readonly string[], more?: { readonly input?: Buffer; readonly timeoutMs?: number }): Promise<string>;
}

interface Wanted {
  readonly engine: EngineName;
  readonly runtime: string | undefined;
  readonly path: string;
}

const answerMsMax = 60_000;
const answerBytesMax = 4 * 2 ** 20;

/** Throws Fault `sandbox_unavailable`, which names what is missing. */
export async function findEngine({ engine: name, runtime: wanted, path }: Wanted): Promise<Engine> {
  if (name === 'docker' && process.geteuid?.() !== 0) throw dockerNeedsRoot();
  const program = findProgram(path, name);
  if (program === undefined)
    throw new Fault('sandbox_unavailable', { message: `${name} is not on ${path}`, hint: `apt-get install ${packages[name]}` });
  const runtime = wanted ?? (name === 'podman' ? runtimes().find(each => findProgram(path, each) !== undefined) : 'runc');
  const runtimeProgram = findProgram(path, runtime ?? '');
  if (runtime === undefined || (name === 'podman' && runtimeProgram === undefined))
    throw new Fault('sandbox_unavailable', {
      message: `${runtime ?? runtimes().join(' and ')} is not on ${path}`,
      hint: `apt-get install ${runtime ?? 'runc'}`,
    });
  const argv = [program, ...(name === 'podman' ? await ofPodman(runtime, runtimeProgram ?? '') : [])] as const;
  const env = { PATH: path, LC_ALL: 'C', HOME: homedir(), ...runtimeFolder() };
  return {
    name,
    argv,
    runtime,
    hasOpenGroups: name === 'podman' && runtime === 'crun' && !existsSync('/sys/fs/cgroup/cgroup.controllers'),
    openFilesMax: openFilesMax(),
    env,
    run: (args, more = {}) => run({ argv: [...argv, ...args], env }, more),
  };
}

/** Whether a container has a kernel of its own. */
export function hasOwnKernel({ runtime }: Pick<Engine, 'runtime'>): boolean {
  return runtime.startsWith('runsc');
}

/** Who can say that a command was killed for want of memory, and nothing but that command. */
export type Teller = 'starter' | 'host' | 'nobody';

export function tellerOf(engine: Pick<Engine, 'runtime' | 'hasOpenGroups'>, held: readonly Controller[]): Teller {
  // Without a group of its own, what is counted is what others have met.
  if (hasOwnKernel(engine) || !held.includes('memory')) return 'nobody';
  return engine.hasOpenGroups ? 'host' : 'starter';
}

/** A number of a user in its containers is that of the machine, where no user namespace is around them: the workspace would be another's. */
function dockerNeedsRoot(): Fault {
  return new Fault('sandbox_unavailable', {
    message:
      "Docker's containers know no user namespace of this worker, who is an ordinary user: they could not own its workspaces",
    hint: 'SKEP_SANDBOX=oci takes podman, which an ordinary user may call; or run the worker as root',
  });
}

const packages = { podman: 'podman', docker: 'docker.io' } as const;

function openFilesMax(): number {
  const hard = /^Max open files\s+\S+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
  return hard === undefined ? 1_024 : Number(hard);
}

/** crun, the quicker of the two, refuses machines that have both versions of cgroups. */
function runtimes(): readonly string[] {
  return existsSync('/sys/fs/cgroup/unified/cgroup.controllers') ? ['runc', 'crun'] : ['crun', 'runc'];
}

/** Warnings would stand among what a command prints. */
async function ofPodman(runtime: string, program: string): Promise<readonly string[]> {
  const flags = hasOwnKernel({ runtime }) ? await gvisorFlags(program) : [];
  return ['--log-level', 'fatal', '--runtime', runtime, ...flags.flatMap(flag => ['--runtime-flag', flag])];
}

/** Where an ordinary user's containers keep their state; root's has a place of its own. */
function runtimeFolder(): Readonly<Record<string, string>> {
  const folder = `/run/user/${process.geteuid?.() ?? 0}`;
  return process.geteuid?.() !== 0 && existsSync(folder) ? { XDG_RUNTIME_DIR: folder } : {};
}

interface Call {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

function run(
  { argv: [program = '', ...args], env }: Call,
  { input, timeoutMs = answerMsMax }: { input?: Buffer; timeoutMs?: number },
) {
  return new Promise<string>((resolve, reject) => {
    const options = { env, cwd: '/', timeout: timeoutMs, maxBuffer: answerBytesMax, killSignal: 'SIGKILL' } as const;
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error) reject(new Error(stderr.trim().slice(0, 2_000) || error.message, { cause: error }));
      else resolve(stdout.trim());
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(input ?? '');
  });
}
