import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startProcess } from '../../src/cli/bench/sandbox/ways/process.ts';
import { benchMark } from '../../src/cli/bench/sandbox/ways/provided.ts';
import type { Program } from '../../src/cli/bench/sandbox/ways/tiny.ts';
import type { Lacking, Way } from '../../src/cli/bench/sandbox/ways/way.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { findProgram, SYSTEM_PATH } from '../../src/providers/sandboxes/local/host/tools.ts';
import type { Stage } from '../harness/bench.ts';

const run = promisify(execFile);

/** By themselves, without what makes images and networks around them: a root that is there, and no network. */
export function containerWays(stage: Stage, program: Program): (Way | Lacking)[] {
  const folder = mkdtempSync(join(tmpdir(), 'skep-bench-bundle-'));
  stage.atEnd(async () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const rootfs = join(folder, 'rootfs');
  mkdirSync(rootfs);
  const [file] = program.argv;
  copyFileSync(file, join(rootfs, 'tiny'));
  return [runtime(folder, 'crun'), runtime(folder, 'runc'), podman(folder)];
}

/** Debian's crun 1.8 refuses a machine that has both versions of cgroups: here it is shown the first alone. */
const firstVersionAlone = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', 'umount "$1"; shift; exec "$@"', 'sh'];
const secondVersion = '/sys/fs/cgroup/unified';

function runtime(folder: string, name: 'crun' | 'runc'): Way | Lacking {
  const file = findProgram(SYSTEM_PATH, name);
  if (file === undefined) return { name, why: `apt-get install ${name}` };
  const bundle = join(folder, name);
  mkdirSync(bundle);
  execFileSync(file, ['spec'], { cwd: bundle });
  const config = join(bundle, 'config.json');
  const spec = JSON.parse(readFileSync(config, 'utf8')) as { process: object; root: object };
  Object.assign(spec.process, { terminal: false, args: ['/tiny'] });
  Object.assign(spec, { root: { path: join(folder, 'rootfs'), readonly: true } });
  writeFileSync(config, JSON.stringify(spec));
  const isHybrid = name === 'crun' && readFileSync('/proc/self/mounts', 'utf8').includes(` ${secondVersion} cgroup2 `);
  const state = ['--root', join(bundle, 'state')];
  const call = (...args: string[]): [string, ...string[]] =>
    isHybrid ? ['unshare', ...firstVersionAlone.slice(1), secondVersion, file, ...state, ...args] : [file, ...state, ...args];
  return {
    name,
    isOurs: false,
    start() {
      const id = nextId();
      const [ender, ...end] = call('delete', '--force', id);
      return startProcess(call('run', '--bundle', bundle, id), { ...around(), endWith: () => again(() => run(ender, end)) });
    },
  };
}

function podman(folder: string): Way | Lacking {
  const file = findProgram(SYSTEM_PATH, 'podman');
  if (file === undefined) return { name: 'podman', why: 'apt-get install podman runc' };
  const place = ['--root', join(folder, 'storage'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs'];
  const own = [...place, '--runtime', 'runc', '--cgroup-manager', 'cgroupfs', '--events-backend', 'none'];
  return {
    name: 'podman with runc',
    isOurs: false,
    start() {
      const id = nextId();
      const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'];
      const alone = ['--network', 'none', '--log-driver', 'none', '--read-only', '--rootfs', join(folder, 'rootfs')];
      const asked = ['--rm', '--name', id, ...limits, ...alone];
      const endWith = () => run(file, [...own, 'rm', '--force', '--time', '0', id]);
      return startProcess([file, ...own, 'run', ...asked, '/tiny'], { ...around(), endWith });
    },
  };
}

const triesMax = 100;

/** crun notes a container only after its first instructions: who would end it at once finds nothing. */
async function again(act: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      return void (await act());
    } catch (error) {
      if (tries === triesMax) throw error;
      await systemClock.sleep(2);
    }
  }
}

let ids = 0;
/** With the words by which memory is looked for: a container's first process is nobody's child here. */
function nextId(): string {
  return `${benchMark}${ids++}`;
}

function around() {
  return { clock: systemClock, signal: new AbortController().signal };
}
