import { expect } from 'vitest';
import type { Farm } from '../../harness/farm.ts';
import { honest } from '../../samples/agents.ts';
import { type SampleName, sampleRepository } from '../../samples/repositories.ts';
import { snapshotTree } from '../../samples/snapshot.ts';
import { sampleCard } from '../../samples/tickets.ts';
import { landedOn, ticketsLanded } from './published.ts';
import { settled, startStory } from './story.ts';

/** Whose own way to be tested does not work by itself: gyp wants a pytest that is not there. */
const named: ReadonlySet<SampleName> = new Set(['gyp']);

/** Builds the card of a sample whose tests are green: all of it lands proven, beside a work tree that stays as it was. */
export async function expectBuilt(farm: Pick<Farm, 'call'>, name: SampleName): Promise<void> {
  const sample = sampleRepository(name);
  const before = snapshotTree(sample.folder, [`refs/heads/skep/${name}`]);
  const checks = sample.checks.map(command => ({ name: command.join(' '), command: [...command] }));
  const wanted = { repository: sample.folder, agent: honest, card: sampleCard(name), test_changes: 'allow' } as const;
  const story = await startStory(farm, named.has(name) ? { ...wanted, checks } : wanted);
  const { session, tickets, trunk, reviews, results } = await settled(farm, story);

  expect([session.state, trunk.checks]).toEqual(['completed', checks]);
  expect(tickets.map(({ status, proof }) => [status, proof])).toEqual(tickets.map(() => ['completed', 'proven']));
  expect(results.map(({ state, proof, submitted_by: by }) => [state, proof, by])).toEqual([['validated', 'proven', 'skep']]);
  const base = reviews.find(review => review.kind === 'base');
  expect(base?.checks.map(check => check.tests?.total ?? null)).toEqual([sample.tests]);

  const landed = landedOn(sample.folder, trunk.branch, sample.commit);
  expect(ticketsLanded(landed).toSorted()).toEqual(tickets.map(ticket => ticket.id));
  const keys = ['Skep-Ticket', 'Skep-Run', 'Skep-Agent', 'Skep-Review', 'Skep-Checks', 'Skep-Proof'];
  for (const { trailers } of landed) {
    expect(Object.keys(trailers)).toEqual(keys);
    expect(trailers).toMatchObject({ 'Skep-Agent': ['exec'], 'Skep-Proof': ['proven'] });
    expect(trailers['Skep-Checks']?.join()).toContain(`${checks[0]?.name}: exit code 0`);
  }
  expect(snapshotTree(sample.folder, [`refs/heads/${trunk.branch}`])).toEqual(before);
}
