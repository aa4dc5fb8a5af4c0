import { execFile } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { removeTree } from '../../../test/harness/disks.ts';
import { buildSkepOnce } from '../../../test/harness/process.ts';
import { SYSTEM_PATH } from '../../providers/sandboxes/local/host/tools.ts';

const isRoot = process.geteuid?.() === 0;
const hasDocker = SYSTEM_PATH.split(':').some(folder => existsSync(join(folder, 'docker')));
const repository = join(import.meta.dirname, '../../..');
const nobody = 65_534;
const top = mkdtempSync(join(tmpdir(), 'skep-doctor-'));

beforeAll(buildSkepOnce, 120_000);
afterAll(() => removeTree(top));

/** `skep sandbox doctor` where a shell has taken something from the machine, in a mount namespace of its own. */
function doctor(taking: string, before: readonly string[] = []): Promise<{ readonly code: number; readonly out: string }> {
  const home = mkdtempSync(join(top, 'home-'));
  chmodSync(top, 0o755);
  if (before.length > 0) chownSync(home, nobody, nobody);
  // shell: `taking` is the test's; the command is its arguments. The repository may lie where only root can walk.
  const script = `${taking}\nmount --rbind "$1" /mnt && cd /mnt && shift && exec "$@"`;
  const shell = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', repository];
  const argv = [...shell, ...before, process.execPath, 'bin/skep', 'sandbox', 'doctor'];
  return new Promise(resolve => {
    const env = { PATH: process.env['PATH'], HOME: home, SKEP_HOME: home };
    const child = execFile('unshare', argv, { env }, (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, out: out + err }),
    );
  });
}

const without = (...programs: readonly string[]): string =>
  programs
    .flatMap(name => SYSTEM_PATH.split(':').map(folder => `${folder}/${name}`))
    .map(path => `[ ! -e ${path} ] || mount --bind /dev/null ${path}`)
    .join('\n');

const readOnlyCgroups = String.raw`for at in $(awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/self/mounts); do mount -o remount,bind,ro "$at"; done`;

/** What is said of one way, without the space before it. */
function saidOf(name: string, out: string): readonly string[] {
  const lines = out.split('\n');
  const from = lines.findIndex(line => line.startsWith(`${name} `));
  const rest = lines.slice(from + 1).findIndex(line => !line.startsWith(' '));
  return lines.slice(from, rest < 0 ? undefined : from + 1 + rest).map(line => line.replace(name, '').replace(/^[( set)]+/, ''));
}

describe.runIf(isRoot)('skep sandbox doctor on a machine that lacks something', () => {
  it('names the package of each program that is missing', async () => {
    const { code, out } = await doctor(without('bwrap', 'podman', 'docker', 'mkfs.ext4'));
    expect(code).toBe(7);
    expect(saidOf('local', out)).toEqual([`no  bwrap is not on ${SYSTEM_PATH}`, 'mend: apt-get install bubblewrap']);
    expect(saidOf('oci', out)).toEqual([`no  podman is not on ${SYSTEM_PATH}`, 'mend: apt-get install podman']);
    expect(saidOf('oci:docker', out)).toEqual([`no  docker is not on ${SYSTEM_PATH}`, 'mend: apt-get install docker.io']);
    const said = saidOf('process', out);
    expect(said[0]).toMatch(/^ok {2}plain processes/);
    const at = said.indexOf(`- workspace: mkfs.ext4 is not on ${SYSTEM_PATH}`);
    expect(said[at + 1]).toBe('mend: apt-get install e2fsprogs');
    expect(said).toContain('mend: SKEP_SANDBOX=local (bubblewrap), or oci (podman)');
  });

  it('says which cgroups can only be read, what that means for the limits, and how to write them', async () => {
    const { code, out } = await doctor(
      `${readOnlyCgroups}\n[ ! -e /run/docker.sock ] || mount --bind /dev/null /run/docker.sock`,
    );
    expect(code).toBe(0);
    const said = saidOf('local', out);
    expect(said).toContain('not limited: cpu');
    expect(said).toContain('advisory, against accidents alone: memory');
    const at = said.findIndex(line => /^- memory, cpu: the cgroups at \/\S+ can only be read$/.test(line));
    expect(said[at + 1]).toMatch(/^mend: mount -o remount,rw \/\S+; a container/);
    // Root's containers can't be made then: nothing is promised that is not held.
    expect(saidOf('oci', out)[0]).toMatch(/^no {2}/);
    expect(saidOf('oci', out).at(-1)).toMatch(/^mend: mount -o remount,rw \/\S+; a container/);
    const mend = hasDocker ? "start Docker, and let the worker's user call it" : 'apt-get install docker.io';
    expect(saidOf('oci:docker', out).at(-1)).toBe(`mend: ${mend}`);
  });

  it('names the setting that switches user namespaces off, and what else an ordinary user lacks', async () => {
    const user = ['setpriv', '--reuid', String(nobody), '--regid', String(nobody), '--clear-groups'];
    const off = ['sh', '-c', 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"', 'sh'];
    // Podman of an ordinary user leaves a process of its own behind.
    const refused = await doctor(without('podman'), [...user, 'unshare', '--user', '--map-current-user', '--keep-caps', ...off]);
    expect(refused.code).toBe(7);
    expect(saidOf('local', refused.out).at(-1)).toBe(
      'mend: user namespaces are switched off: sysctl -w user.max_user_namespaces=15000',
    );
    const { out } = await doctor(without('podman'), user);
    const said = saidOf('local', out);
    const lacks = said.flatMap((line, i) => (line.startsWith('- ') ? [[line, said[i + 1]]] : []));
    expect(lacks).toEqual([
      [
        `- memory, cpu: only root can make the cgroups of sandboxes, and the worker is uid ${nobody}`,
        'mend: run the worker as root',
      ],
      ['- workspace: only root can mount a disk for each workspace', 'mend: run the worker as root'],
      ['- launcher: the worker is not root', 'mend: run the worker as root'],
    ]);
    expect(saidOf('oci:docker', out)[1]).toMatch(/^mend: SKEP_SANDBOX=oci takes podman/);
  });
});
