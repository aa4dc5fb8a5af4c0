import { execFileSync } from 'node:child_process';
import { chownSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { Agent } from '../../../contract/projects.ts';
import { type Farm, startFarm } from '../../harness/farm.ts';
import { buildSkep, endAll, type SkepProcess, until } from '../../harness/process.ts';
import { makeRepository, temporaryFolder } from '../../harness/worker.ts';
import { git } from '../../samples/git.ts';
import { snapshotTree } from '../../samples/snapshot.ts';
import { expectInOrder } from './clean.ts';
import { freePort, serveGit } from './git-daemon.ts';
import { expectFit, expectUnfit } from './hostile.ts';
import { fileOn, filesOn, landedOn, ticketsLanded } from './published.ts';
import { look, type Outcome, runsOf, settled, startStory, trunkOf } from './story.ts';

let farm: Farm;
let steady: SkepProcess;
beforeAll(async () => {
  buildSkep();
  farm = await startFarm();
  steady = farm.worker('steady', { slots: 2 });
}, 120_000);
afterAll(endAll);

const agent: Agent = { kind: 'exec', command: ['sh', '-c', 'echo done >work.txt'] };
const card = { name: 'Fit', features: [{ title: 'Do it' }] };
const checks = [{ name: 'check', command: ['sh', '-c', '[ ! -e broken ]'] }];

async function build(repository: string): Promise<Outcome> {
  return settled(farm, await startStory(farm, { repository, agent, card, checks }));
}

function plain(): string {
  return makeRepository({ 'a.txt': 'a\n' });
}

describe('a repository that cannot be built on is refused before any agent runs, with a reason and what to do', () => {
  it.each<{ what: string; make: () => string; reason: string; hint: string }>([
    { what: 'a folder that is no repository', make: temporaryFolder, reason: 'is no git repository', hint: 'git init' },
    { what: 'a path that is not there', make: () => join(temporaryFolder(), 'gone'), reason: 'There is no /', hint: '' },
    { what: 'one whose branch is there already', make: taken, reason: 'has a branch skep/fit already', hint: 'git branch -m' },
    { what: 'one whose owner may not write to it', make: closed, reason: 'could not be handed over', hint: 'write to it' },
    {
      what: 'a remote that does not answer',
      make: () => 'http://127.0.0.1:9/none.git',
      reason: 'cannot be reached',
      hint: 'Look',
    },
  ])('$what', async ({ make, reason, hint }) => {
    const { trunk, tickets } = await build(make());
    expect(trunk).toMatchObject({ state: 'refused', reason: expect.stringContaining(reason) });
    expect(trunk.hint).toContain(hint);
    expect(trunk.hint?.length).toBeGreaterThan(10);
    expect(await runsOf(farm, `&ticket_id=${tickets[0]?.id}`)).toEqual([]);
  });
});

function taken(): string {
  const folder = plain();
  git(folder, 'branch', 'skep/fit');
  return folder;
}

/** Of somebody who has made it read-only for everybody. */
function closed(): string {
  const folder = plain();
  for (const path of ['.', ...(readdirSync(folder, { recursive: true }) as string[])]) chownSync(join(folder, path), 1234, 1234);
  execFileSync('chmod', ['-R', 'a+rX,a-w', folder]);
  return folder;
}

describe('a repository in an unusual state is built on all the same, and stays as it is', () => {
  it.each<[string, () => string]>([
    [
      'without a commit',
      () => {
        const folder = temporaryFolder();
        git(folder, 'init', '--quiet');
        return folder;
      },
    ],
    [
      'bare',
      () => {
        const folder = temporaryFolder();
        git(folder, 'clone', '--quiet', '--bare', plain(), 'bare.git');
        return join(folder, 'bare.git');
      },
    ],
    [
      'shallow',
      () => {
        const [origin, folder] = [plain(), temporaryFolder()];
        git(origin, 'commit', '--quiet', '--allow-empty', '--message=second');
        git(folder, 'clone', '--quiet', '--depth=1', `file://${origin}`, 'shallow');
        return join(folder, 'shallow');
      },
    ],
    [
      'dirty',
      () => {
        const folder = plain();
        for (const [name, text] of Object.entries({ 'a.txt': 'changed', broken: 'not committed', 'work.txt': 'mine' }))
          writeFileSync(join(folder, name), text);
        git(folder, 'add', 'broken');
        return folder;
      },
    ],
    [
      'with a detached HEAD',
      () => {
        const folder = plain();
        git(folder, 'checkout', '--quiet', '--detach');
        git(folder, 'commit', '--quiet', '--allow-empty', '--message=aside');
        return folder;
      },
    ],
    [
      'with a submodule',
      () => {
        const [module, folder] = [plain(), plain()];
        git(folder, '-c', 'protocol.file.allow=always', 'submodule', '--quiet', 'add', module, 'module');
        git(folder, 'commit', '--quiet', '--message=a submodule');
        return folder;
      },
    ],
    [
      'with pointers of LFS',
      () =>
        makeRepository({
          '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
          'big.bin': `version https://git-lfs.github.com/spec/v1\noid sha256:${'4d'.repeat(32)}\nsize 12345\n`,
        }),
    ],
    [
      'whose objects have ids of SHA-256',
      () => {
        const folder = temporaryFolder();
        git(folder, 'init', '--quiet', '--object-format=sha256');
        writeFileSync(join(folder, 'a.txt'), 'a');
        git(folder, 'add', '--all');
        git(folder, 'commit', '--quiet', '--message=first');
        return folder;
      },
    ],
  ])('%s', async (_, make) => {
    const repository = make();
    const before = snapshotOf(repository);
    const { trunk, session, tickets } = await build(repository);
    expect([trunk.state, trunk.reason, session.state]).toEqual(['ready', null, 'completed']);
    expect(fileOn(repository, 'skep/fit', 'work.txt')).toBe('done');
    expect(filesOn(repository, 'skep/fit')).not.toContain('broken');
    expect(ticketsLanded(landedOn(repository, 'skep/fit', trunk.base_sha ?? ''))).toEqual([tickets[0]?.id]);
    expect(snapshotOf(repository)).toEqual(before);
  });
});

/** Of a bare repository the objects and the new branch lie elsewhere. */
function snapshotOf(folder: string): string[] {
  const lines = snapshotTree(folder, ['refs/heads/skep/fit']);
  const isBare = !lines.some(line => line.startsWith('.git '));
  return isBare ? lines.filter(line => !/^(\.|objects|refs|refs\/heads)(\/| )/.test(line)) : lines;
}

describe('a hostile repository runs nothing on the host, hangs nothing and stays as it is', () => {
  it('is built on, whatever its traps and names', () => expectFit(farm, { variants: ['bad_bytes'], branch: '-x' }));

  it.each([
    ['broken_refs', /dangerous/],
    ['skep_branch', /refs\/heads\/skep is in its way/],
    ['promisor', /lacks objects of its own history/],
    ['submodule_command', /\.gitmodules .* names a command/],
  ] as const)('is refused with a reason where it has %s', (variant, reason) => expectUnfit(farm, { variant, reason }));
});

describe('a repository that is away when the work is done: said so, and pushed when it is back', () => {
  it('a folder, pushed by itself', { timeout: 90_000 }, async () => {
    const repository = plain();
    const outcome = await buildWhile(repository, {
      leave: () => renameSync(repository, `${repository}.away`),
      back: () => renameSync(`${repository}.away`, repository),
    });
    expect(outcome.missed).toContain('There is no');
    expect(outcome.session.state).toBe('completed');
    expect(fileOn(repository, 'skep/fit', 'work.txt')).toBe('done');
  });

  it('a remote, pushed at a word', async () => {
    const folder = temporaryFolder();
    git(folder, 'clone', '--quiet', '--bare', plain(), 'remote.git');
    const port = await freePort();
    let daemon = await serveGit(folder, port);
    const outcome = await buildWhile(`git://127.0.0.1:${port}/remote.git`, {
      leave: () => daemon.end(),
      back: async () => void (daemon = await serveGit(folder, port)),
      publish: true,
    });
    await daemon.end();
    expect(outcome.missed).toContain('cannot be reached');
    expect(outcome.session.state).toBe('completed');
    expect(fileOn(join(folder, 'remote.git'), 'skep/fit', 'work.txt')).toBe('done');
  });
});

interface Absence {
  leave(): unknown;
  back(): unknown;
  /** A person does not want to wait for the next try. */
  readonly publish?: boolean;
}

/** A build whose repository goes away once its base commit is taken in, and comes back after it was missed. */
async function buildWhile(repository: string, { leave, back, publish = false }: Absence): Promise<Outcome & { missed: string }> {
  await steady.kill('SIGSTOP');
  const story = await startStory(farm, { repository, agent, card, checks: [] });
  await until('the base is taken in', async () => ((await trunkOf(farm, story))?.state === 'ready' ? true : undefined));
  await leave();
  await steady.kill('SIGCONT');
  const missed = await until('it is missed', async () => (await trunkOf(farm, story))?.publish_error ?? undefined);
  const { tickets, trunk, results } = await look(farm, story);
  expect(tickets.map(({ status }) => status)).toEqual(['completed']);
  expect(results[0]).toMatchObject({ state: 'submitted', reason: expect.stringContaining('waits until skep/fit is pushed') });
  await back();
  if (publish) await farm.call('POST', `/api/trunks/${trunk.id}/publish`);
  await until('it is pushed', async () => {
    const { published_sha: at, publish_error: error } = (await trunkOf(farm, story)) ?? {};
    return at === trunk.head_sha && error === null ? true : undefined;
  });
  return { ...(await settled(farm, story)), missed };
}

test('nothing of all this is stuck, held twice or waited for in a circle', () => expectInOrder(farm));
