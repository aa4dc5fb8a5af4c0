import { execFileSync } from 'node:child_process';
import { chownSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { Agent } from '../../../contract/projects.ts';
import { type Farm, startFarm } from '../../harness/farm.ts';
import { buildSkep, endAll } from '../../harness/process.ts';
import { makeRepository, temporaryFolder } from '../../harness/worker.ts';
import { git } from '../../samples/git.ts';
import { hostileRepository, type HostileVariant } from '../../samples/hostile.ts';
import { snapshotTree } from '../../samples/snapshot.ts';
import { expectInOrder } from './clean.ts';
import { fileOn, filesOn, landedOn, ticketsLanded } from './published.ts';
import { type Outcome, runsOf, settled, startStory, type Story } from './story.ts';

let farm: Farm;
beforeAll(async () => {
  buildSkep();
  farm = await startFarm();
  farm.worker('steady', { slots: 2 });
}, 120_000);
afterAll(endAll);

const agent: Agent = { kind: 'exec', command: ['sh', '-c', 'echo done >work.txt'] };
const card = { name: 'Fit', features: [{ title: 'Do it' }] };
const checks = [{ name: 'check', command: ['sh', '-c', '[ ! -e broken ]'] }];

async function build(repository: string): Promise<Outcome & { story: Story }> {
  const story = await startStory(farm, { repository, agent, card, checks });
  return { ...(await settled(farm, story)), story };
}

function plain(): string {
  return makeRepository({ 'a.txt': 'a\n' });
}

describe('a repository that cannot be built on is refused before any agent runs, with a reason and what to do', () => {
  it.each<[string, () => string, reason: string, hint: string]>([
    ['a folder that is no repository', temporaryFolder, 'is no git repository', 'git init'],
    ['a path that is not there', () => join(temporaryFolder(), 'gone'), 'There is no /', ''],
    [
      'one whose branch is there already',
      () => {
        const folder = plain();
        git(folder, 'branch', 'skep/fit');
        return folder;
      },
      'has a branch skep/fit already',
      'git branch -m',
    ],
    [
      'one whose owner may not write to it',
      () => {
        const folder = plain();
        for (const path of ['.', ...(readdirSync(folder, { recursive: true }) as string[])]) chownSync(join(folder, path), 1234, 1234);
        execFileSync('chmod', ['-R', 'a+rX,a-w', folder]);
        execFileSync('chmod', ['a+rx', folder]);
        return folder;
      },
      'could not be handed over',
      'Let the user who owns the repository write to it',
    ],
    ['a remote that does not answer', () => 'http://127.0.0.1:9/none.git', 'cannot be reached', 'Look whether its server runs'],
  ])('%s', async (_, make, reason, hint) => {
    const { trunk, tickets } = await build(make());
    expect(trunk).toMatchObject({ state: 'refused', reason: expect.stringContaining(reason) });
    expect(trunk.hint).toContain(hint);
    expect(trunk.hint?.length).toBeGreaterThan(10);
    expect(await runsOf(farm, `&ticket_id=${tickets[0]?.id}`)).toEqual([]);
  });
});

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
    ['whose objects have ids of SHA-256', () => {
      const folder = temporaryFolder();
      git(folder, 'init', '--quiet', '--object-format=sha256');
      writeFileSync(join(folder, 'a.txt'), 'a');
      git(folder, 'add', '--all');
      git(folder, 'commit', '--quiet', '--message=first');
      return folder;
    }],
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

describe('a hostile repository', () => {
  const fit: [string, HostileVariant[], string][] = [
    ['with every trap', [], 'main'],
    ['whose branch looks like an option', [], '-x'],
    ['whose branch is a command', [], '`touch`'],
    ['whose branch has a blank that is none', [], 'wide\u3000blank'],
    ['with a file name that is no text', ['bad_bytes'], 'main'],
    ['whose submodule is a command', ['submodule_command'], 'main'],
  ];
  const unfit: [string, HostileVariant, RegExp][] = [
    ['with a ref that is a pipe', 'fifo_in_git', /./],
    ['with names of refs that are none', 'broken_refs', /./],
    ['with a branch skep', 'skep_branch', /./],
    ['that lacks an object and promises a command', 'promisor', /./],
  ];

  it.each(fit)('%s: runs nothing on the host, and honest work lands', async (_, variants, branch) => {
    const { folder, canaries, commit } = hostileRepository({ canaries: temporaryFolder(), variants, branch });
    const before = snapshotTree(folder, ['refs/heads/skep/fit']);
    const story = await startStory(farm, { repository: folder, agent, card });
    const { trunk, session, tickets } = await settled(farm, story);
    console.log(tickets[0]?.status_reason);
    expect([trunk.reason, session.state, tickets[0]?.proof, trunk.base_sha]).toEqual([null, 'completed', 'proven', commit]);
    expect(canaries()).toEqual([]);
    expect(snapshotTree(folder, ['refs/heads/skep/fit'])).toEqual(before);
  });

  it.each(unfit)('%s: runs nothing, hangs nothing, and is refused with a reason or built on', async (_, variant, reason) => {
    const { folder, canaries } = hostileRepository({ canaries: temporaryFolder(), variants: [variant] });
    const before = snapshotTree(folder, ['refs/heads/skep/fit']);
    const story = await startStory(farm, { repository: folder, agent, card });
    const { trunk, session } = await settled(farm, story);
    console.log(variant, trunk.state, trunk.reason, trunk.hint, trunk.publish_error, session.state);
    if (trunk.state === 'refused') expect(trunk.reason).toMatch(reason);
    else expect(session.state).toBe('completed');
    expect(canaries()).toEqual([]);
    expect(snapshotTree(folder, ['refs/heads/skep/fit'])).toEqual(before);
  });
});

test('a repository that goes away in the middle: the work is kept, and pushed when it is back', async () => {
  const repository = plain();
  const away = `${repository}.away`;
  const story = await startStory(farm, {
    repository,
    card,
    checks,
    agent: { kind: 'exec', command: ['sh', '-c', 'while [ ! -e /skep/never ]; do sleep 0.2; break; done; echo done >work.txt'] },
  });
  mkdirSync(away);
  rmSync(away, { recursive: true });
  expect((await settled(farm, story)).session.state).toBe('completed');
});

test('nothing of all this is stuck, held twice or waited for in a circle', () => expectInOrder(farm));
