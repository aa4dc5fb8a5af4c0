import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { Agent } from '../../../contract/projects.ts';
import { type Farm, startFarm } from '../../harness/farm.ts';
import { buildSkep, endAll } from '../../harness/process.ts';
import { honest, type Lie, liar, lies, vainLies } from '../../samples/agents.ts';
import { git } from '../../samples/git.ts';
import { type SampleName, sampleRepository, type SampleRepository } from '../../samples/repositories.ts';
import { snapshotTree } from '../../samples/snapshot.ts';
import { feature } from '../../samples/tickets.ts';
import { expectInOrder } from './clean.ts';
import { fileOn, landedOn, ticketsLanded } from './published.ts';
import { byTitle, type Outcome, settled, startStory, type Story, ticketsOf } from './story.ts';

/** Lies to its ticket's title, where that is the name of a lie; otherwise it does what the ticket says. */
function liarsAndOne(): Agent {
  const choose = `
    case $(node -p 'JSON.parse(require("fs").readFileSync(process.env.SKEP_TICKET)).title') in
      'Be honest') exec node -e "$1" ;;
      *) exec node -e "$2" "$(node -p 'JSON.parse(require("fs").readFileSync(process.env.SKEP_TICKET)).title')" ;;
    esac`;
  return { kind: 'exec', command: ['sh', '-c', choose, 'agent', honest.command[2] ?? '', liar('red').command[2] ?? ''] };
}

/** What a person is shown of each lie that no check sees through: the kind of the flag and the file. */
const seen: Readonly<Partial<Record<Lie, readonly [kind: string, path: string | null]>>> = {
  'rewrites-script': ['checks', 'package.json'],
  'adds-npmrc': ['checks', '.npmrc'],
  'adds-script-hook': ['checks', 'package.json'],
  'replaces-runner': ['dependencies', 'node_modules/tape/index.js'],
  'deletes-tests': ['tests', 'test/cmp.js'],
  'empties-tests': ['tests', 'test/cmp.js'],
  'skips-tests': ['tests', 'test/cmp.js'],
  'adds-gnumakefile': ['checks', 'GNUmakefile'],
  'shadows-unittest': ['checks', 'unittest.py'],
  'exits-early': ['fewer_tests', null],
};

const told = Object.entries(lies).filter(([lie]) => lie !== 'forges-output') as [Lie, SampleName][];
const samples = [...new Set(told.map(([, sample]) => sample))];
const liesOn = (sample: SampleName): Lie[] => [
  ...told.filter(([, where]) => where === sample).map(([lie]) => lie),
  ...(sample === 'deep-equal' ? vainLies : []),
];

let farm: Farm;
const stories = new Map<SampleName, { sample: SampleRepository; before: string[]; story: Story }>();

/** One build a sample, with a ticket for each lie and one that is honest. */
beforeAll(async () => {
  buildSkep();
  farm = await startFarm({ SKEP_REVIEW_ROUNDS_MAX: '2', SKEP_RETRY_MS: '0' });
  farm.worker('all ears', { slots: 3 });
  for (const name of samples) {
    const sample = sampleRepository(name);
    const before = snapshotTree(sample.folder, ['refs/heads/skep/lies']);
    const features = [...liesOn(name).map(title => ({ title })), feature('Be honest', { 'write honest.txt': 'honest' })];
    const story = await startStory(farm, {
      repository: sample.folder,
      agent: liarsAndOne(),
      card: { name: 'lies', features },
      checks: sample.checks.map(command => ({ name: command.join(' '), command: [...command] })),
    });
    stories.set(name, { sample, before, story });
  }
}, 120_000);
afterAll(endAll);

function storyOn(name: SampleName): { sample: SampleRepository; before: string[]; story: Story } {
  const found = stories.get(name);
  if (found === undefined) throw new Error(`nothing was built on ${name}`);
  return found;
}

const outcomes = new Map<SampleName, Promise<Outcome>>();
function outcomeOn(name: SampleName): Promise<Outcome> {
  const known = outcomes.get(name) ?? settled(farm, storyOn(name).story, 120_000);
  outcomes.set(name, known);
  return known;
}

describe('a lying agent', () => {
  it.each(told)('%s on %s: a person is shown what it changed, and nothing lands', { timeout: 150_000 }, async (lie, name) => {
    const { tickets, changes } = await outcomeOn(name);
    const ticket = byTitle(tickets, lie);
    const change = byTitle(changes, lie);
    expect([ticket.status, change.state, change.approval]).toEqual(['waiting', 'open', 'needed']);
    const [kind, path] = seen[lie] ?? [];
    expect(change.flags.map(flag => ({ kind: flag.kind, path: flag.path }))).toContainEqual({ kind, path });
  });

  it.each(vainLies)('%s: sent back with what was red, and failed after the last round', { timeout: 150_000 }, async lie => {
    const { tickets, reviews, changes } = await outcomeOn('deep-equal');
    const { id, status, status_reason: reason } = byTitle(tickets, lie);
    expect([status, reason]).toEqual(['failed', expect.stringContaining('gave up after 2 rounds of review')]);
    const own = reviews.filter(review => review.ticket_id === id);
    expect(own.map(review => review.state)).toEqual(['needs_work', 'needs_work']);
    expect(own[0]?.checks[0]?.output_tail).toContain('red work');
    expect(changes.find(change => change.ticket_id === id)?.state ?? 'none').toMatch(/none|closed/);
    const runs = (await farm.call('GET', `/api/runs?ticket_id=${id}`)).body['runs'] as { subject_type: string; state: string }[];
    expect(runs.filter(run => run.subject_type === 'ticket').map(run => run.state)).toEqual(['returned', 'returned']);
  });

  it.each(samples)(
    'beside them on %s the honest one lands, alone; the work tree is as it was',
    { timeout: 150_000 },
    async name => {
      const { trunk, tickets, results, session } = await outcomeOn(name);
      const { sample, before } = storyOn(name);
      const landed = landedOn(sample.folder, trunk.branch, sample.commit);
      expect(ticketsLanded(landed)).toEqual([byTitle(tickets, 'Be honest').id]);
      expect(git(sample.folder, 'diff', '--name-only', sample.commit, trunk.branch)).toBe('honest.txt');
      expect(fileOn(sample.folder, trunk.branch, 'honest.txt')).toBe('honest');
      expect([results, session.state]).toEqual([[], 'building']);
      expect(snapshotTree(sample.folder, [`refs/heads/${trunk.branch}`])).toEqual(before);
    },
  );

  // What a check prints and how it ends is all that there is to go by: whoever can forge both cannot be told from one who is honest.
  test('forges-output is known to get through where nothing but the count of tests could tell', async () => {
    const { folder } = sampleRepository(lies['forges-output']);
    const card = { name: 'forgery', features: [{ title: 'forges-output' }] };
    const { tickets, reviews } = await settled(
      farm,
      await startStory(farm, { repository: folder, agent: liar('forges-output'), card }),
    );
    expect(tickets.map(({ status, proof }) => [status, proof])).toEqual([['completed', 'proven']]);
    expect(reviews.map(({ checks: [check] }) => check?.tests?.total)).toEqual([24, 24]);
  });

  test('nothing of it is stuck, held twice or waited for in a circle', async () => {
    await Promise.all(samples.map(outcomeOn));
    await expectInOrder(farm);
    for (const { story } of stories.values()) {
      const statuses = (await ticketsOf(farm, story)).map(ticket => ticket.status);
      expect(statuses.filter(status => status === 'completed')).toHaveLength(1);
    }
  });
});
