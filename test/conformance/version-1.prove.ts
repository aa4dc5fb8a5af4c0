import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const repository = join(import.meta.dirname, '../..');
const secondVersion = '/sys/fs/cgroup/unified';
/** Where there is a second version that can be taken away, for one process and what it starts. */
const canBeAlone = process.geteuid?.() === 0 && existsSync(`${secondVersion}/cgroup.controllers`);
const suites = ['test/conformance/containers.prove.ts', 'test/containment/others.prove.ts'];
/** Of the table of subjects, those that cgroups are something to. */
const subjects = "'(local:native|oci)(, root)?'";

interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

it.runIf(canBeAlone).each(suites)(
  '%s holds where the worker sees cgroups of version 1 alone, and podman takes crun',
  async suite => {
    const script = 'umount "$1" && shift && exec "$@"';
    const alone = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', secondVersion];
    const vitest = ['npx', 'vitest', 'run', '--project', 'prove', '--reporter=json', suite, '-t', subjects];
    const report = JSON.parse(await printed('unshare', [...alone, ...vitest])) as Report;
    const results = report.testResults.flatMap(each => each.assertionResults);
    expect(results.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName)).toEqual([]);
    expect(report.numPassedTests).toBeGreaterThan(100);
  },
  3_600_000,
);

function printed(program: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: repository, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => void (text += chunk.toString()));
    child.once('error', reject).once('close', () => resolve(text));
  });
}
