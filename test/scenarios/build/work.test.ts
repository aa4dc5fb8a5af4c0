import { afterAll, beforeAll, expect, it, test } from 'vitest';
import type { Agent } from '../../../contract/projects.ts';
import { allEvents, type Farm, startFarm } from '../../harness/farm.ts';
import { buildSkep, endAll } from '../../harness/process.ts';
import { makeRepository } from '../../harness/worker.ts';
import { honest, learner } from '../../samples/agents.ts';
import { sampleRepository } from '../../samples/repositories.ts';
import { snapshotTree } from '../../samples/snapshot.ts';
import { rivals, sampleCard } from '../../samples/tickets.ts';
import { expectInOrder } from './clean.ts';
import { expectBuilt } from './foreign.ts';
import { fileOn, filesOn, hasBranch, landedOn, ticketsLanded } from './published.ts';
import { byTitle, runsOf, settled, startStory, ticketsOf } from './story.ts';

let farm: Farm;
beforeAll(async () => {
  buildSkep();
  farm = await startFarm({ SKEP_RETRY_MS: '0' });
  farm.worker('left', { slots: 2 });
  farm.worker('right', { slots: 1 });
}, 120_000);
afterAll(endAll);

it.each(['json-stable-stringify', 'type-component', 'gyp'] as const)(
  '%s: every feature lands proven, on a branch beside a work tree that is as it was',
  name => expectBuilt(farm, name),
);

test('eyes is red before anybody has worked on it: said with the evidence, and no agent runs', async () => {
  const sample = sampleRepository('eyes');
  const before = snapshotTree(sample.folder);
  const story = await startStory(farm, { repository: sample.folder, agent: honest, card: sampleCard('eyes') });
  const { trunk, reviews } = await settled(farm, story);
  expect(trunk).toMatchObject({ state: 'refused', reason: expect.stringContaining('`npm test` ended with exit code') });
  expect(trunk.hint).toContain('--leave-out-red');
  expect(reviews.map(({ kind, state }) => [kind, state])).toEqual([['base', 'failed']]);
  expect(reviews[0]?.checks[0]).toMatchObject({ outcome: 'exited', output_tail: expect.stringContaining('Error') });
  const [ticket] = await ticketsOf(farm, story);
  expect(await runsOf(farm, `&ticket_id=${ticket?.id}`)).toEqual([]);
  expect(snapshotTree(sample.folder)).toEqual(before);

  const again = await farm.call('POST', `/api/trunks/${trunk.id}/prepare`, { red_base: 'leave_out' });
  expect(again.status).toBe(200);
  const after = await settled(farm, story);
  expect(after.session.state).toBe('completed');
  expect(after.tickets.map(({ proof }) => proof)).toEqual(['unproven']);
  expect(after.results.map(({ state, proof }) => [state, proof])).toEqual([['validated', 'unproven']]);
  expect(after.results[0]?.summary).toContain('unproven');
  expect(after.trunk.notes).toContainEqual(expect.stringContaining('npm test is red on the base commit and left out'));
  const [landed] = landedOn(sample.folder, trunk.branch, sample.commit);
  expect(landed?.trailers).toMatchObject({ 'Skep-Checks': ['none'], 'Skep-Proof': ['unproven'] });
});

test('the second attempt is mended from what the first one was told', async () => {
  const sample = sampleRepository('deep-equal');
  const card = { name: 'learner', features: [{ title: 'Know the answer' }] };
  const { tickets, reviews } = await settled(farm, await startStory(farm, { repository: sample.folder, agent: learner, card }));
  expect(tickets.map(({ status, proof, attempts }) => [status, proof, attempts])).toEqual([['completed', 'proven', 2]]);
  const rounds = reviews.filter(review => review.kind === 'submission').toReversed();
  expect(rounds.map(({ round, state }) => [round, state])).toEqual([
    [1, 'needs_work'],
    [2, 'passed'],
  ]);
  expect(fileOn(sample.folder, 'skep/learner', 'answer.js')).toBe('module.exports = 1337;');
});

test('two who write the same line: both land, the second by way of a conflict run', async () => {
  const sample = sampleRepository('xtend');
  const story = await startStory(farm, { repository: sample.folder, agent: honest, card: rivals('README.md') });
  const { session, tickets, trunk, results } = await settled(farm, story);
  expect([session.state, results.map(({ proof }) => proof)]).toEqual(['completed', ['proven']]);
  const events = await allEvents(farm);
  const ids = tickets.map(ticket => ticket.id);
  const conflicts = events.filter(({ type, payload }) => type === 'change.conflict' && ids.includes(String(payload['ticketId'])));
  expect(conflicts.map(({ payload }) => payload['files'])).toEqual([['README.md']]);
  const runs = (await Promise.all(ids.map(id => runsOf(farm, `&ticket_id=${id}`)))).flat();
  expect(runs.filter(run => run.subject_type === 'conflict').map(run => run.state)).toEqual(['accepted']);
  const landed = landedOn(sample.folder, trunk.branch, sample.commit);
  expect(ticketsLanded(landed).toSorted()).toEqual(ids);
  const text = fileOn(sample.folder, trunk.branch, 'README.md') ?? '';
  expect(text.split('\n').slice(0, 2).toSorted()).toEqual(['left bank', 'right bank']);
  expect(text).not.toMatch(/^[<=>]{7}/m);
});

/** Weakens the test that was there; once it is told what is wrong with that, it puts it back and keeps what it was told. */
const stubborn: Agent = {
  kind: 'exec',
  command: [
    'sh',
    '-c',
    `if [ -z "$SKEP_FEEDBACK" ]; then echo true >test_sum.sh
     else cp "$SKEP_FEEDBACK" told.txt; git checkout --quiet "$(git rev-list --max-parents=0 HEAD)" -- test_sum.sh; fi
     echo "$SKEP_ATTEMPT" >work.txt`,
  ],
};

test('a person decides about a changed test: approved it lands, rejected the agent is told why', async () => {
  const checks = [{ name: 'sum', command: ['sh', 'run.sh'] }];
  const repository = makeRepository({
    'test_sum.sh': 'test $((1 + 1)) = 2\n',
    'run.sh': 'set -e; for t in test_*.sh; do sh $t; done\n',
  });
  const start = (name: string) =>
    startStory(farm, { repository, agent: stubborn, checks, card: { name, features: [{ title: 'Weaken' }] } });
  const [approved, rejected] = [await start('approved'), await start('rejected')];

  for (const story of [approved, rejected]) {
    const { tickets, changes, trunk } = await settled(farm, story);
    expect(tickets.map(ticket => ticket.status)).toEqual(['waiting']);
    expect(changes.map(({ state, approval }) => [state, approval])).toEqual([['open', 'needed']]);
    expect(changes[0]?.flags.map(flag => flag.path)).toContain('test_sum.sh');
    expect(hasBranch(repository, trunk.branch)).toBe(false);
  }
  const changeOf = async (story: typeof approved) => {
    const { changes } = await settled(farm, story);
    return byTitle(changes, 'Weaken');
  };

  const wanted = await changeOf(approved);
  const stale = await farm.call('POST', `/api/changes/${wanted.id}/approve`, { head_sha: 'f'.repeat(40) });
  expect([stale.status, stale.headers.get('skep-fault')]).toEqual([409, 'wrong_state']);
  const yes = await farm.call('POST', `/api/changes/${wanted.id}/approve`, { head_sha: wanted.head_sha });
  expect(yes.status).toBe(200);
  expect((await settled(farm, approved)).session.state).toBe('completed');
  expect(fileOn(repository, 'skep/approved', 'test_sum.sh')).toBe('true');

  const unwanted = await changeOf(rejected);
  const no = await farm.call('POST', `/api/changes/${unwanted.id}/reject`, { reason: 'The sum must be tested.' });
  expect(no.status).toBe(200);
  const { tickets } = await settled(farm, rejected);
  expect(tickets.map(({ status, attempts }) => [status, attempts])).toEqual([['completed', 2]]);
  expect(filesOn(repository, 'skep/rejected')).toEqual(['run.sh', 'test_sum.sh', 'told.txt', 'work.txt']);
  expect(fileOn(repository, 'skep/rejected', 'test_sum.sh')).toBe('test $((1 + 1)) = 2');
  expect(fileOn(repository, 'skep/rejected', 'told.txt')).toContain('The sum must be tested.');
});

test('nothing of all this is stuck, held twice or waited for in a circle', () => expectInOrder(farm));
