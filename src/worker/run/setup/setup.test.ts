import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startScriptedServer } from '../../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../../test/harness/scripted-server.ts';
import { git, makeRepository, script, startWorker, temporaryFolder } from '../../../../test/harness/worker.ts';
import type { TestWorker } from '../../../../test/harness/worker.ts';
import { mountsIn, sandboxesIn } from '../../../../test/harness/disks.ts';

let server: ScriptedServer;
let worker: TestWorker;

beforeAll(async () => {
  server = await startScriptedServer();
  worker = await startWorker(server);
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

/** What an install does, and what it must not: ignored folders, loose files, and changes of what is tracked. */
const install = script(
  'mkdir -p node_modules/.bin node_modules/left-pad packages/one/node_modules "odd [name]*"',
  'date +%s%N > node_modules/left-pad/index.js',
  'ln -s ../left-pad/index.js node_modules/.bin/left-pad',
  'echo loose > generated.txt; echo odd > "odd [name]*/file"; echo deep > packages/one/node_modules/deep.js',
  'echo changed by setup > tracked.txt; rm gone.txt; mkdir -p .git/hooks .git/info; echo hook > .git/hooks/post-checkout; echo cache > "$HOME/cache"; echo t > "$TMPDIR/t"',
  'echo installed',
);

interface Project {
  readonly repository: string;
  run(lines: readonly string[], task?: QueuedTask): Promise<QueuedRun>;
  /** Another commit on the last. */
  commit(file: string, content: string): string;
}

async function ended(task: QueuedTask): Promise<QueuedRun> {
  const run = server.queue(task);
  await server.until(() => run.state === 'submitted' || run.state === 'failed');
  return run;
}

/** A project whose setup is this script; each of its runs is of an agent that is these lines. */
function project(lines = install, more: Readonly<Record<string, string>> = {}): Project {
  const files = { 'tracked.txt': 'committed\n', 'gone.txt': 'there\n', '.gitignore': 'node_modules\n', 'package.json': '{}\n' };
  const repository = makeRepository({ ...files, 'packages/one/index.js': '1\n', 'install.sh': lines, ...more });
  return {
    repository,
    run(lines, task = {}) {
      const origin = task.origin ?? git(repository, 'rev-parse', 'HEAD');
      const agent = { kind: 'exec' as const, command: ['sh', '-c', lines.join('\n')] };
      return ended({ repository, agent, setup: ['sh', '-c', './install.sh'], origin, base: origin, ...task });
    },
    commit(file, content) {
      writeFileSync(join(repository, file), content);
      git(repository, 'add', file);
      git(repository, 'commit', '--quiet', `--message=${file}`);
      return git(repository, 'rev-parse', 'HEAD');
    },
  };
}

const other = '5b0e8f5e-6a55-4c28-9d0a-3f5d6c1b2a10';
const phasesOf = (run: QueuedRun) =>
  run.events.filter(({ type }) => type === 'phase.started').map(({ payload }) => payload['phase']);
const stamp = 'cat node_modules/left-pad/index.js; echo work > "work-$SKEP_RUN_ID"';
const lastLine = (run: QueuedRun) => run.log.toString().trimEnd().split('\n').at(-1);

describe('the setup of a project', () => {
  it('is run once, before the first agent, and what it leaves is in the workspace of every run', async () => {
    const { run } = project();
    const first = await run([stamp]);
    expect(first.failure).toBeUndefined();
    expect(phasesOf(first)).toEqual(['prepare_sandbox', 'set_up', 'check_out', 'start_agent', 'stream', 'collect', 'submit']);
    expect(first.log.toString()).toMatch(/^\$ \.\/install\.sh\ninstalled\n\d+\n$/);
    const second = await run([stamp]);
    expect(phasesOf(second)).toEqual(['prepare_sandbox', 'check_out', 'start_agent', 'stream', 'collect', 'submit']);
    expect(second.log.toString()).toMatch(/^\d+\n$/);
    expect(lastLine(second)).toBe(lastLine(first));
    const review = await run([], { subject: 'review', checks: [{ name: 'c', command: ['cat', 'node_modules/.bin/left-pad'] }] });
    expect(review.result?.checks?.[0]?.output_tail.trim()).toBe(lastLine(first));
  });

  it('leaves tracked files, git and homes as they are without it, and nothing of it is work', async () => {
    const { run, repository } = project();
    const done = await run([
      'git status --porcelain; cat tracked.txt gone.txt; ls .git/hooks 2>&1; ls -A "$HOME" /tmp; test ! -e /kept && echo none kept',
      'cat generated.txt "odd [name]*/file" packages/one/node_modules/deep.js; echo work > "odd n"; echo work > mine.txt',
    ]);
    expect(done.failure).toBeUndefined();
    expect(done.log.toString()).toBe(
      `$ ./install.sh\ninstalled\ncommitted\nthere\nls: cannot access '.git/hooks': No such file or directory\n/home/agent:\n\n/tmp:\nnone kept\nloose\nodd\ndeep\n`,
    );
    expect(done.result?.summary).toBe('2 files changed, 2 insertions(+)');
    expect(git(repository, 'rev-parse', 'HEAD')).toBe(done.result?.base);
  });

  it('is not run where there is none', async () => {
    const { run } = project();
    const without: QueuedTask = { repository: project().repository, agent: { kind: 'exec', command: ['sh', '-c', 'ls > list'] } };
    expect(phasesOf(await ended(without))).not.toContain('set_up');
    expect((await run(['test -d node_modules; echo x > x'])).failure).toBeUndefined();
  });

  it("is not touched by a run that overwrites it: the next one has the original, as has a check after another's damage", async () => {
    const { run } = project();
    const first = await run([
      'echo evil > node_modules/left-pad/index.js; rm node_modules/.bin/left-pad; echo evil > node_modules/evil.js',
      'chmod 777 node_modules; ln node_modules/evil.js node_modules/hard; echo work > work',
    ]);
    expect(first.failure).toBeUndefined();
    const second = await run(['ls -A node_modules; stat -c %a node_modules', stamp]);
    expect(second.log.toString()).toMatch(/^\.bin\nleft-pad\n755\n\d+\n$/);
    const checks = [
      { name: 'breaks git', command: ['sh', '-c', 'rm -rf .git node_modules; echo broken > .git'] },
      { name: 'next', command: ['sh', '-c', 'cat node_modules/.bin/left-pad; git status --porcelain; cat tracked.txt'] },
    ];
    const review = await run([], { subject: 'review', checks });
    expect(review.failure).toBeUndefined();
    expect(review.result?.checks?.[1]?.output_tail).toBe(`${lastLine(second)}\ncommitted\n`);
  });
});

describe('dependencies outlive their worker', () => {
  it('so that the first run of the next one begins with them, and are made anew where they were spoilt meanwhile', async () => {
    const folder = temporaryFolder();
    const sandboxes = join(folder, 'sandboxes');
    const { run } = project();
    const byAnother = async (): Promise<QueuedRun> => {
      await worker.stop({ graceMs: 60_000 });
      worker = await startWorker(server, { folder });
      return await run([stamp]);
    };
    const keptIn = (): string[] => readdirSync(sandboxes).filter(name => name.startsWith('kept.'));
    const first = await byAnother();
    expect(phasesOf(first)).toContain('set_up');
    const second = await byAnother();
    expect(second.failure).toBeUndefined();
    expect(phasesOf(second)).not.toContain('set_up');
    expect(lastLine(second)).toBe(lastLine(first));
    await worker.stop({ graceMs: 60_000 });
    expect(keptIn()).toHaveLength(1);
    expect(mountsIn(folder)).toEqual([]);
    const image = [join(sandboxes, keptIn()[0] ?? '', 'disk.img'), join(sandboxes, keptIn()[0] ?? '', 'shown/work.tar')];
    const spoilt = image.filter(each => existsSync(each));
    expect(spoilt).toHaveLength(1);
    for (const each of spoilt) writeFileSync(each, 'spoilt', { flag: 'r+' });
    const third = await byAnother();
    expect(phasesOf(third)).toContain('set_up');
    expect(lastLine(third)).not.toBe(lastLine(first));
  });
});

describe('dependencies are kept by what they follow from', () => {
  it('anew where a lockfile or the command has changed, and not where another file has', async () => {
    const demo = project();
    const first = lastLine(await demo.run([stamp]));
    demo.commit('README.md', 'more\n');
    expect(lastLine(await demo.run([stamp]))).toBe(first);
    demo.commit('packages/one/package-lock.json', '{"a":1}\n');
    const second = lastLine(await demo.run([stamp]));
    expect(second).not.toBe(first);
    const third = lastLine(await demo.run([stamp], { setup: ['./install.sh'] }));
    expect(third).not.toBe(second);
    const setUpAgain = await demo.run([stamp], { limits: { workspace_bytes: 48 * 2 ** 20 } });
    expect(phasesOf(setUpAgain)).toContain('set_up');
  });

  it("of what an agent has changed of them for its own commit alone; of what has landed for its spec; of the user's own for all", async () => {
    const demo = project();
    const origin = git(demo.repository, 'rev-parse', 'HEAD');
    const checks = [{ name: 'c', command: ['cat', 'node_modules/left-pad/index.js'] }];
    const stampOf = async (task: QueuedTask): Promise<string | undefined> => {
      const run = await demo.run([], { subject: 'review', checks, origin, base: origin, ...task });
      return run.result?.checks?.[0]?.output_tail.trim();
    };
    // Not among what decides, and the setup is not run on it.
    const alike = demo.commit('install-data.txt', 'spoilt\n');
    const users = await stampOf({ commit: alike });
    expect(users).toMatch(/^\d+$/);
    expect(await stampOf({ commit: origin, specId: other })).toBe(users);

    const added = demo.commit('package.json', '{"more":true}\n');
    const own = await stampOf({ commit: added });
    expect(await stampOf({ commit: added })).toBe(own);
    const another = demo.commit('README.md', 'more\n');
    const anothers = await stampOf({ commit: another });
    const landed = await stampOf({ commit: another, base: added });
    expect(await stampOf({ commit: added, base: added })).toBe(landed);
    const others = await stampOf({ commit: another, base: added, specId: other });
    expect(new Set([users, own, anothers, landed, others]).size).toBe(5);
  });

  it('once, however many runs begin at the same time', async () => {
    const { run } = project(install.replace('echo installed', 'sleep 0.5; echo installed'));
    const both = await Promise.all([run([stamp]), run([stamp])]);
    expect(lastLine(both[0])).toBe(lastLine(both[1]));
    expect(both.filter(each => each.log.toString().includes('installed'))).toHaveLength(1);
    expect(both.map(each => phasesOf(each).filter(phase => phase === 'set_up').length)).toEqual([1, 1]);
  });
});

describe('a setup that fails', () => {
  it('fails the run with its words and a class of its own, and is not tried again at once', async () => {
    const { run } = project(script('echo "npm error 404" >&2; exit 7'));
    const first = await run(['true']);
    expect(first.failure).toEqual({
      class: 'setup',
      message: 'The setup command `./install.sh` ended with 7; it printed at last:\nnpm error 404',
    });
    expect(first.log.toString()).toBe('$ ./install.sh\nnpm error 404\n');
    const second = await run(['true']);
    expect(second.failure).toEqual(first.failure);
    expect(second.log.toString()).toBe('');
    // Another command is another try.
    expect((await run(['true'], { setup: ['sh', 'install.sh'] })).log.toString()).toContain('npm error 404');
  });

  it.each([
    [
      'more files than git should be told of',
      script('mkdir d; for i in $(seq 1100); do echo > tracked-$i; done'),
      'left more than 1000 files',
    ],
    ['a workspace that cannot be entered', script('chmod 0 .'), "can't be kept"],
    ['itself killed', script('kill -9 $$'), 'was ended by SIGKILL'],
  ])('leaves %s', async (_, lines, words) => {
    const { failure } = await project(lines).run(['true']);
    expect(failure).toEqual({ class: 'setup', message: expect.stringContaining(words) as string });
  });

  it('leaves no sandbox behind', () => {
    expect(sandboxesIn(join(worker.folder, 'sandboxes')).filter(name => name.includes('setup-'))).toEqual([]);
  });
});

describe('a setup that is hostile', () => {
  it.each([
    ['git is a link to what is tracked', 'rm -rf .git; ln -s packages .git'],
    ['a tracked folder is a link', 'rm -rf packages; mkdir node_modules/x; ln -s node_modules/x packages'],
    [
      'git runs programs',
      'git config core.fsmonitor "touch $PWD/ran"; git config filter.x.clean "touch $PWD/ran"; echo "* filter=x" > .git/info/attributes',
    ],
    [
      'folders are read-only',
      'mkdir node_modules/ro; echo x > node_modules/ro/x; chmod 500 packages node_modules/ro; chmod 0 .git packages',
    ],
    ['its home is read-only', 'mkdir $HOME/ro; echo x > $HOME/ro/x; chmod 500 $HOME/ro $HOME'],
  ])('%s: the run has its commit all the same', async (_, line) => {
    const { run } = project(install.replace('echo installed', line));
    const done = await run(['git status --porcelain; cat packages/one/index.js; test ! -e ran && echo not run', stamp]);
    expect(done.failure).toBeUndefined();
    expect(done.log.toString()).toMatch(/\n1\nnot run\n\d+\n$/);
    expect(done.result?.summary).toBe('1 file changed, 1 insertion(+)');
  });
});
