import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startScriptedServer } from '../../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../../test/harness/scripted-server.ts';
import { mountsIn, sandboxesIn } from '../../../../test/harness/disks.ts';
import { git, makeRepository, script, startWorker, temporaryFolder } from '../../../../test/harness/worker.ts';
import type { TestWorker } from '../../../../test/harness/worker.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { silentLog } from '../../../kernel/log.ts';
import { createLocalSandboxes } from '../../../providers/sandboxes/local/index.ts';
import type { SandboxSpec } from '../../sandbox.ts';

let server: ScriptedServer;
let worker: TestWorker;
let folder: string;
const made: SandboxSpec[] = [];

/** A worker whose sandboxes are said to begin as snapshots at once. */
async function start(native: boolean): Promise<void> {
  server = await startScriptedServer();
  folder = temporaryFolder();
  const local = createLocalSandboxes({ folder: join(folder, 'sandboxes'), clock: systemClock, log: silentLog, native });
  const sandboxes = {
    ...local,
    layers: () => Promise.resolve(true),
    create: (spec: SandboxSpec) => {
      made.push(spec);
      return local.create(spec);
    },
  };
  worker = await startWorker(server, { folder, sandboxes });
}

async function ended(task: QueuedTask): Promise<QueuedRun> {
  const run = server.queue(task);
  await server.until(() => run.state === 'submitted' || run.state === 'failed');
  return run;
}

const look =
  'git status --short --branch; git log --format=%s; git diff-files --name-only; git for-each-ref --format="%(refname)"; ls -A; cat below/one';
const spoil = 'echo mine > below/one; echo new > "$SKEP_RUN_ID"';

describe.each([
  ['shown', true],
  ['copied', false],
])('a check-out that is %s', (_, native) => {
  beforeAll(() => start(native));
  afterAll(async () => {
    await worker.stop({ graceMs: 0 });
    await server.close();
  });

  it('a commit that was checked out before is there already, as committed and on the branch of each run, whatever the one before did', async () => {
    made.splice(0);
    const repository = makeRepository({
      'agent.sh': script(look, spoil),
      'below/one': '1\n',
      '.gitattributes': 'one text eol=lf\n',
    });
    const runs = [
      await ended({ repository }),
      await ended({ repository }),
      await ended({ repository }),
      await ended({ repository }),
    ];
    expect(runs.map(({ failure }) => failure)).toEqual([undefined, undefined, undefined, undefined]);
    for (const run of runs) {
      const branch = `skep/${run.ticketId}`;
      expect(run.log.toString()).toBe(`## ${branch}\nfirst\nrefs/heads/${branch}\n.git\n.gitattributes\nagent.sh\nbelow\n1\n`);
      expect(run.result?.summary).toBe('2 files changed, 2 insertions(+), 1 deletion(-)');
    }
    // The second has it made, in a sandbox in which no agent was; all later ones begin with it.
    expect(made.map(({ id, from = [] }) => [id.startsWith('checkout-'), from.length])).toEqual([
      ...[
        [false, 0],
        [true, 0],
      ],
      ...[
        [false, 1],
        [false, 1],
        [false, 1],
      ],
    ]);
    expect(git(repository, 'rev-parse', 'HEAD')).toBe(runs[3]?.result?.base);
  });

  it('dependencies lie over it, and hide nothing of the commit', async () => {
    // Not as a word of its own, which would make the file one that decides.
    const install = 'mkdir -p node_modules; echo dep > node_modules/dep; f=late; echo setup > $f.txt'.concat(
      // Copied, which no provider calls a layer, it could not lie over the folder.
      native ? '; rm -r below; ln -s node_modules below' : '',
    );
    const repository = makeRepository({ 'package.json': '{}\n', 'below/one': '1\n' });
    const origin = git(repository, 'rev-parse', 'HEAD');
    const task = (lines: string): QueuedTask => ({
      ...{ repository, origin, base: origin, setup: ['sh', '-c', install] },
      agent: { kind: 'exec', command: ['sh', '-c', lines] },
    });
    const read = 'cat late.txt node_modules/dep below/one; git status --porcelain; echo work > work';
    expect((await ended(task(read))).log.toString()).toBe(`$ ${install}\nsetup\ndep\n1\n`);
    const other = makeRepository({ 'late.txt': 'committed\n' });
    git(repository, 'fetch', '--quiet', other, 'HEAD');
    git(repository, 'checkout', '--quiet', 'FETCH_HEAD', '--', 'late.txt');
    git(repository, 'commit', '--quiet', '--message=late');
    for (let i = 0; i < 3; i++) {
      made.splice(0);
      const run = await ended(task(read));
      expect([run.failure, run.log.toString(), run.result?.summary]).toEqual([
        undefined,
        'committed\ndep\n1\n',
        '1 file changed, 1 insertion(+)',
      ]);
    }
    expect(made.map(({ from = [] }) => from.length)).toEqual([2]);
  });

  it('nothing of it is left when the worker has ended', async () => {
    await worker.stop({ graceMs: 0 });
    expect([sandboxesIn(join(folder, 'sandboxes')), mountsIn(folder)]).toEqual([[], []]);
  });
});
