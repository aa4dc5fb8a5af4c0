import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { IsolationLevel } from '../../contract/fleet/sandboxes.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createLocalSandboxes } from '../../src/providers/sandboxes/local/index.ts';
import { createOciSandboxes } from '../../src/providers/sandboxes/oci/index.ts';
import { createProcessSandboxes } from '../../src/providers/sandboxes/process/index.ts';
import type { SandboxProvider } from '../../src/worker/sandbox.ts';
import { subjects } from '../harness/sandbox-worker.ts';
import { startScriptedServer } from '../harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../harness/scripted-server.ts';
import { git, makeRepository, script, startWorker, temporaryFolder } from '../harness/worker.ts';
import type { TestWorker } from '../harness/worker.ts';
import { left, look, poisons } from './poison.ts';
import { cacheRows } from './table/cache.ts';

const install = script(
  'mkdir -p node_modules/.bin node_modules/left-pad',
  'date +%s%N > node_modules/left-pad/index.js; cat install-data.txt >> node_modules/left-pad/index.js',
  'printf "#!/bin/sh\\necho padded" > node_modules/.bin/left-pad; chmod 755 node_modules/.bin/left-pad',
  'head -c 20000 /dev/urandom > node_modules/large; echo loose > generated.txt',
);

/** Else the harness has said what is missing. */
const hasContainers = subjects.some(({ provider, possible }) => provider === 'oci' && possible);
const place = (folder: string) => ({ folder: join(folder, 'sandboxes'), clock: systemClock, log: silentLog });
const all: Readonly<Record<string, (folder: string) => SandboxProvider>> = {
  'local:native': folder => createLocalSandboxes(place(folder)),
  local: folder => createLocalSandboxes({ ...place(folder), native: false }),
  process: folder => createProcessSandboxes(place(folder)),
  ...(hasContainers ? { oci: folder => createOciSandboxes({ ...place(folder), engine: 'podman' }) } : {}),
};
const isProof = process.env['SKEP_TEST_CONTAINED'] === 'others';
const chosen = Object.entries(all).filter(([name]) => (name === 'local:native') !== isProof);

/** Of six runs, which take some seconds where the machine has nothing else to do. */
const attackMsMax = 180_000;

/** A real worker: one run spoils what it begins with, and the next one reads what that begins with. */
describe.each(chosen)('a hijacked agent that would spoil what others begin with: %s', { timeout: attackMsMax }, (name, make) => {
  let server: ScriptedServer;
  let worker: TestWorker;
  let folder: string;
  let demo: Project;
  let other: Project;
  const wall: IsolationLevel = name === 'process' ? 'none' : 'namespaces';
  // Without walls /tmp and /dev/shm are the machine's, where others come and go.
  const seeing = look(wall === 'none' ? ['"$HOME"'] : ['/tmp', '/dev/shm', '"$HOME"']);
  const attempts = cacheRows.filter(({ guard }) => guard === 'platform' || wall !== 'none').map(({ attempt }) => attempt);

  const start = (): Promise<TestWorker> => startWorker(server, { folder, sandboxes: make(folder) });
  beforeAll(async () => {
    folder = temporaryFolder();
    server = await startScriptedServer();
    worker = await start();
    demo = project();
    const copy = temporaryFolder();
    cpSync(demo.repository, copy, { recursive: true });
    other = { ...demo, repository: copy };
  });
  afterAll(async () => {
    await worker.stop({ graceMs: 0 });
    await server.close();
  });

  async function ended({ repository, origin }: Project, lines: readonly string[], more: QueuedTask = {}): Promise<QueuedRun> {
    const command = ['sh', '-c', [...lines, 'echo work > "work-$SKEP_RUN_ID"'].join('\n')];
    const setup = ['sh', '-c', './install.sh'];
    const agent = { kind: 'exec' as const, command };
    const given = { repository, setup, origin, base: origin, isolation: wall };
    const run = server.queue({ ...given, agent, ...more });
    await server.until(() => run.state === 'submitted' || run.state === 'failed');
    expect(run.failure).toBeUndefined();
    return run;
  }

  /** What a run of this project begins with. */
  async function seen(of: Project, more: QueuedTask = {}): Promise<string> {
    const run = await ended(of, seeing, more);
    const [, text = ''] = /^begin\n([^]*)^end$/m.exec(run.log.toString()) ?? [];
    expect(text).toContain('padded');
    return text;
  }

  it.each(Object.keys(poisons).filter(attempt => attempts.includes(attempt)))('%s', async attempt => {
    const before = await seen(demo);
    const spoiling = await ended(demo, [...(poisons[attempt] ?? []), ...seeing]);
    // In its own sandbox the attempt has changed something, or was refused.
    const [row] = cacheRows.filter(each => each.attempt === attempt);
    expect(row?.guard === 'isolation' || !spoiling.log.toString().includes(before)).toBe(true);
    const commit = commitOf(demo, attempt);
    if (commit !== undefined) await ended(demo, ['true'], { commit });
    if (attempt.endsWith('another worker')) {
      await worker.stop({ graceMs: 60_000 });
      worker = await start();
    }
    const after = [await seen(demo), await seen(demo)];
    expect(row?.answers).toContain(after.every(each => each === before) ? 'as it was' : after.join('\n---\n'));
  });

  it('write in them while another run reads', async () => {
    const before = await seen(demo);
    const writing = ended(demo, [
      'for i in $(seq 60); do for f in $(find node_modules -type f); do echo evil$i > $f; done; sleep 0.05; done',
    ]);
    const reading = ended(demo, [
      'sha256sum node_modules/large node_modules/left-pad/index.js > look-1; for i in $(seq 60); do sha256sum --check --quiet look-1 || echo changed; sleep 0.05; done',
    ]);
    const [, reader] = await Promise.all([writing, reading]);
    expect(reader.log.toString()).not.toContain('changed');
    expect(await seen(demo)).toBe(before);
  });

  it('the same repository in another project', async () => {
    const mine = await seen(demo);
    await ended(demo, poisons['write over a file of the dependencies'] ?? []);
    const [first, second] = [await seen(other), await seen(other)];
    expect([first === second, first === mine, first.includes('evil')]).toEqual([true, false, false]);
    expect(await seen(demo)).toBe(mine);
  });

  it.each(Object.entries(left))('%s', async (_, { setup, lines }) => {
    const secret = join(folder, 'secret');
    writeFileSync(secret, 'canary', { mode: 0o644 });
    const one = project(`${install}SECRET='${secret}'\n${setup}\n`);
    for (let i = 0; i < 2; i += 1) {
      const { log } = await ended(one, lines);
      expect(log.toString()).toMatch(/inside\n$/);
      expect(log.toString()).not.toContain('canary');
    }
  });

  it('leaves no row untried', () => {
    const tried = [
      ...Object.keys(poisons),
      ...Object.keys(left),
      'write in them while another run reads',
      'the same repository in another project',
    ];
    expect(tried.toSorted()).toEqual(cacheRows.map(({ attempt }) => attempt).toSorted());
  });
});

interface Project {
  readonly repository: string;
  /** The user's own commit. */
  readonly origin: string;
}

function project(setup = install): Project {
  const files = {
    'tracked.txt': 'committed\n',
    '.gitignore': 'node_modules\n',
    'package.json': '{}\n',
    'install-data.txt': 'data\n',
  };
  const repository = makeRepository({ ...files, 'packages/one/index.js': '1\n', 'install.sh': setup });
  return { repository, origin: git(repository, 'rev-parse', 'HEAD') };
}

/** What an agent has handed in, as another run begins from it: beside the branch of the user, whose commit stays. */
function commitOf({ repository, origin }: Project, attempt: string): string | undefined {
  if (!attempt.endsWith('commit both') && !attempt.endsWith('commit that')) return undefined;
  const changes = attempt.endsWith('both')
    ? {
        'package.json': '{"evil":1}\n',
        'install.sh': script('mkdir -p node_modules/left-pad node_modules/.bin; echo evil > node_modules/left-pad/index.js'),
      }
    : { 'install-data.txt': 'evil\n' };
  for (const [name, content] of Object.entries(changes)) writeFileSync(join(repository, name), content);
  git(repository, 'commit', '--quiet', '--all', '--message=evil');
  const commit = git(repository, 'rev-parse', 'HEAD');
  git(repository, 'reset', '--quiet', '--hard', origin);
  return commit;
}
