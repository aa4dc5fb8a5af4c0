import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Agent, Check } from '../../../contract/projects.ts';
import { type Farm, startFarm } from '../../harness/farm.ts';
import { buildSkep, endAll } from '../../harness/process.ts';
import { makeRepository } from '../../harness/worker.ts';
import { expectInOrder } from './clean.ts';
import { fileOn, hasBranch, landedOn, ticketsLanded } from './published.ts';
import { byTitle, runsOf, settled, startStory, ticketsOf } from './story.ts';

const checkSeconds = 2;

let farm: Farm;
beforeAll(async () => {
  buildSkep();
  farm = await startFarm({
    SKEP_REVIEW_ROUNDS_MAX: '2',
    SKEP_ATTEMPTS_MAX: '2',
    SKEP_RETRY_MS: '0',
    SKEP_REVIEW_TIMEOUT_MS: String(checkSeconds * 1_000),
  });
  farm.worker('steady', { slots: 2 });
}, 120_000);
afterAll(endAll);

const shell = (script: string): Agent => ({ kind: 'exec', command: ['sh', '-c', script] });
const check = (script: string): Check => ({ name: 'check', command: ['sh', '-c', script] });

/** Writes its title as the only line of `line.txt`, but `Apart`, which has a file of its own; `resolve` is done with a conflict. */
const rival = (resolve: string) =>
  shell(`
    if [ -n "$SKEP_CONFLICT" ]; then ${resolve}
    else
      title=$(sed -n 's/^  "title": "\\(.*\\)",$/\\1/p' "$SKEP_TICKET")
      if [ "$title" = Apart ]; then echo "$title" >apart.txt; else echo "$title" >line.txt; fi
    fi`);
const three = (name: string) => ({ name, features: [{ title: 'Left' }, { title: 'Right' }, { title: 'Apart' }] });
const nothingBad = check('! git grep -qw bad');
const bothSides = "sed -i '/^[<=>|]\\{7\\}/d' line.txt";

async function fight(name: string, resolve: string): Promise<Awaited<ReturnType<typeof settled>> & { repository: string }> {
  const repository = makeRepository({ 'line.txt': 'before\n' });
  const story = await startStory(farm, { repository, agent: rival(resolve), card: three(name), checks: [nothingBad] });
  return { ...(await settled(farm, story)), repository };
}

async function conflictRuns(ids: readonly string[]): Promise<{ state: string; failure_message: string | null }[]> {
  const runs = (await Promise.all(ids.map(id => runsOf(farm, `&ticket_id=${id}`)))).flat();
  return runs.filter(run => run.subject_type === 'conflict').toReversed();
}

test('a conflict that is resolved to red is resolved again, with what was wrong', async () => {
  const { tickets, session, repository } = await fight(
    'red at first',
    `if [ -z "$SKEP_FEEDBACK" ]; then echo bad >line.txt; else ${bothSides}; fi`,
  );
  expect(session.state).toBe('completed');
  expect((await conflictRuns(tickets.map(({ id }) => id))).map(run => run.state)).toEqual(['returned', 'accepted']);
  const lines = fileOn(repository, 'skep/red-at-first', 'line.txt')?.split('\n');
  expect(lines?.toSorted()).toEqual(['Left', 'Right']);
});

test.each([
  { how: 'resolved to red', resolve: 'echo bad >line.txt', end: 'returned', why: 'was not resolved in 2 rounds' },
  { how: 'left with its markers', resolve: 'true', end: 'failed', why: 'Conflict markers are left in line.txt' },
])(
  'a conflict that is always $how: its ticket is failed after the last try, and the rest goes on',
  async ({ how, resolve, end, why }) => {
    const { tickets, changes, trunk, repository } = await fight(how, resolve);
    expect(byTitle(tickets, 'Apart').status).toBe('completed');
    expect(tickets.map(({ status }) => status).toSorted()).toEqual(['completed', 'completed', 'failed']);
    const failed = tickets.find(({ status }) => status === 'failed');
    expect(failed?.status_reason).toContain(why);
    expect(changes.find(({ ticket_id: id }) => id === failed?.id)?.state).toBe('closed');
    expect((await conflictRuns(tickets.map(({ id }) => id))).map(run => run.state)).toEqual([end, end]);
    const landed = landedOn(repository, trunk.branch, trunk.base_sha ?? '');
    expect(ticketsLanded(landed).toSorted()).toEqual(tickets.filter(each => each !== failed).map(({ id }) => id));
    expect(fileOn(repository, trunk.branch, 'line.txt')).toBe(failed?.title === 'Left' ? 'Right' : 'Left');
  },
);

test('without checks the work lands and is said to be unproven', async () => {
  const repository = makeRepository({ 'a.txt': 'a\n' });
  const card = { name: 'unchecked', features: [{ title: 'Do it' }] };
  const { tickets, results, trunk, reviews } = await settled(
    farm,
    await startStory(farm, { repository, agent: shell('echo b >b.txt'), card }),
  );
  expect(tickets.map(({ status, proof }) => [status, proof])).toEqual([['completed', 'unproven']]);
  expect(results.map(({ state, proof }) => [state, proof])).toEqual([['validated', 'unproven']]);
  expect(results[0]?.summary).toContain(`unproven: ${tickets[0]?.id}`);
  expect(reviews.map(({ state, reason }) => [state, reason])).toEqual([
    ['inconclusive', 'the project has no checks: nothing is proven'],
  ]);
  const [landed] = landedOn(repository, trunk.branch, trunk.base_sha ?? '');
  expect(landed?.trailers).toMatchObject({ 'Skep-Checks': ['none'], 'Skep-Proof': ['unproven'] });
});

test('a check that hangs on the base commit: refused before any agent runs', async () => {
  const repository = makeRepository({ 'a.txt': 'a\n' });
  const card = { name: 'hanging', features: [{ title: 'Do it' }] };
  const checks = [check('sleep 600')];
  const story = await startStory(farm, { repository, agent: shell('echo b >b.txt'), card, checks });
  const { trunk, reviews } = await settled(farm, story);
  expect(trunk).toMatchObject({ state: 'refused', reason: expect.stringContaining(`did not end within ${checkSeconds} s`) });
  expect(reviews[0]?.checks).toMatchObject([{ outcome: 'timeout' }]);
  const [ticket] = await ticketsOf(farm, story);
  expect(await runsOf(farm, `&ticket_id=${ticket?.id}`)).toEqual([]);
});

test('work on which a check hangs is sent back with that', async () => {
  const repository = makeRepository({ 'a.txt': 'a\n' });
  const card = { name: 'hung', features: [{ title: 'Do it' }] };
  const agent = shell('if [ -z "$SKEP_FEEDBACK" ]; then echo b >b.txt; else rm b.txt; cp "$SKEP_FEEDBACK" told.txt; fi');
  const checks = [check('[ ! -e b.txt ] || sleep 600')];
  const { tickets, reviews } = await settled(farm, await startStory(farm, { repository, agent, card, checks }));
  expect(tickets.map(({ status, proof, attempts }) => [status, proof, attempts])).toEqual([['completed', 'proven', 2]]);
  expect(reviews.find(({ state }) => state === 'needs_work')?.reason).toContain(`did not end within ${checkSeconds} s`);
  expect(fileOn(repository, 'skep/hung', 'told.txt')).toContain(`did not end within ${checkSeconds} s`);
});

test('a check that flaps lets the work through and is said to', async () => {
  const repository = makeRepository({ 'a.txt': 'a\n' });
  const card = { name: 'flapping', features: [{ title: 'Do it' }] };
  // What lies in .git outlives the clean-up between the two tries.
  const checks = [check('[ -e .git/seen ] || { touch .git/seen; exit 1; }')];
  const story = await startStory(farm, { repository, agent: shell('echo b >b.txt'), card, checks });
  const { tickets, trunk, reviews } = await settled(farm, story);
  expect(tickets.map(({ status }) => status)).toEqual(['completed']);
  expect(reviews.map(({ checks: [ended] }) => ended?.flaky)).toEqual([true, true]);
  expect(reviews.find(({ kind }) => kind === 'submission')?.reason).toContain('red at first and green when run again');
  expect(trunk.notes).toContainEqual(expect.stringContaining('cannot be relied on'));
  const [landed] = landedOn(repository, trunk.branch, trunk.base_sha ?? '');
  expect(landed?.trailers['Skep-Checks']?.join()).toMatch(/, flaky$/);
});

test('a build of which nothing lands has no branch', async () => {
  const repository = makeRepository({ 'a.txt': 'a\n' });
  const card = { name: 'nothing', features: [{ title: 'Do it' }, { title: 'Then this', depends_on: ['Do it'] }] };
  const checks = [check('[ ! -e b.txt ]')];
  const { tickets, trunk } = await settled(
    farm,
    await startStory(farm, { repository, agent: shell('date +%N >b.txt'), card, checks }),
  );
  expect(tickets.map(({ status }) => status)).toEqual(['failed', 'blocked']);
  expect(hasBranch(repository, trunk.branch)).toBe(false);
});

test('nothing of all this is stuck, held twice or waited for in a circle', () => expectInOrder(farm));
