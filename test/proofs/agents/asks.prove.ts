import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WireQuestion } from '../../../contract/talk/questions.ts';
import { until } from '../../harness/process.ts';
import type { Step } from '../../harness/model-steps.ts';
import { script } from '../../harness/worker.ts';
import { fileOn } from '../../scenarios/build/published.ts';
import { trunkOf } from '../../scenarios/build/story.ts';
import { kinds, note } from '../seen.ts';
import type { Asked } from './players.ts';
import { attemptOver, attemptsOf, checks, each, hasCalled, logOf, openWorld, ticketIs, ticketOf } from './world.ts';
import type { Told, World } from './world.ts';

/** Of the agents' conversations with people: what they ask, and what a review tells them. */
let world: World;
/** Longer than it takes to answer a question that is there, and short enough to be waited for. */
const waitS = 15;
const timeout = 900_000;

beforeAll(async () => {
  world = await openWorld({ SKEP_QUESTION_WAIT_S: String(waitS), SKEP_RETRY_MS: '100' });
  world.worker('asked', kinds.length);
}, 900_000);
afterAll(async () => {
  await world.close();
});

const question = { question: 'Which blue shall it be?', options: ['navy', 'sky'] };
const answer = 'rather ultramarine';
const submit: Step = { report: 'submit_result', args: { status: 'done', summary: 'Coloured' } };

async function questionOf(told: Told): Promise<WireQuestion> {
  const { id } = await ticketOf(world, told);
  return until(
    `${told.kind} to ask`,
    async () => {
      const { body } = await world.farm.call('GET', '/api/questions?state=pending');
      return (body['questions'] as WireQuestion[]).find(each => each.subject_id === id);
    },
    300_000,
  );
}

async function answerIt(told: Told): Promise<void> {
  const { id, kind, text } = await questionOf(told);
  expect([kind, text]).toEqual(['ask', question.question]);
  const { status } = await world.farm.call('POST', `/api/questions/${id}/answer`, { answer });
  expect(status).toBe(200);
}

/** A file of what came to the person's own repository. */
async function landed(told: Told, path: string): Promise<string | undefined> {
  const branch = await until('the work to be published', async () => {
    const trunk = await trunkOf(world.farm, told.story);
    return trunk !== undefined && trunk.published_sha === trunk.head_sha ? trunk.branch : undefined;
  });
  return fileOn(told.story.repository, branch, path);
}

it('an agent that asks for names of others is seen to', { timeout }, async () => {
  const files = { 'agent.sh': script('getent hosts a.example.org', 'echo x > x') };
  const told = await world.begin(kinds[0] ?? 'pi', [], { files, agent: { kind: 'exec', command: ['./agent.sh'] } });
  await ticketIs(world, told, 'completed');
  await expect(world.others()).rejects.toThrow('datagrams');
});

it('asks a person, who answers while it waits', { timeout }, async () => {
  await each(async kind => {
    const told = await world.begin(kind, [
      { report: 'ask_human', args: question },
      { shell: 'echo ultramarine > colour.txt' },
      submit,
      { say: 'All of it is done.' },
    ]);
    await answerIt(told);
    await ticketIs(world, told, 'completed');
    expect((await attemptsOf(world, told)).map(({ state }) => state)).toEqual(['accepted']);
    expect(told.played.asked[0]?.text).not.toContain(answer);
    expect(told.played.asked[1]?.text).toContain(answer);
    expect(await landed(told, 'colour.txt')).toBe('ultramarine');
    note(kind, { short: 'is told while it waits' });
  });
});

it('asks a person who is away: its turn ends, and the next one has the answer', { timeout }, async () => {
  await each(async kind => {
    const told = await world.begin(kind, ({ text }: Asked, count) => {
      if (text.includes(answer)) return afterAnswer.shift() ?? { say: 'All of it is done.' };
      return [{ shell: 'echo half > half.txt' }, { report: 'ask_human', args: question }][count - 1] ?? { say: 'I wait.' };
    });
    const afterAnswer: Step[] = [{ shell: 'cat half.txt; echo ultramarine > colour.txt' }, submit];
    await ticketIs(world, told, 'waiting');
    const [parked] = await attemptsOf(world, told);
    expect(parked?.state).toBe('parked');
    const before = told.played.asked.length;
    await answerIt(told);
    await ticketIs(world, told, 'completed');
    const runs = await attemptsOf(world, told);
    expect(runs.map(({ attempt, state }) => `${attempt} ${state}`)).toEqual(['1 returned', '2 accepted']);
    const again = told.played.asked[before]?.text ?? '';
    expect(again).toContain(answer);
    expect(await landed(told, 'half.txt')).toBe('half');
    expect(await landed(told, 'colour.txt')).toBe('ultramarine');
    // Of the first turn nothing but its conversation has these words.
    note(kind, { long: hasCalled(again, 'echo half > half.txt') ? 'goes on in its conversation' : 'begins anew from its work' });
  });
});

it('is told what the review found wrong, and mends it', { timeout }, async () => {
  await each(async kind => {
    const mending: Step[] = [{ shell: 'cat answer.txt; echo 42 > answer.txt' }, submit];
    const told = await world.begin(
      kind,
      ({ text }: Asked, count) => {
        if (text.includes('the answer is wrong')) return mending.shift() ?? { say: 'Mended.' };
        return [{ shell: 'echo 43 > answer.txt' }, submit][count - 1] ?? { say: 'All of it is done.' };
      },
      { checks },
    );
    const first = await attemptOver(world, told, 1);
    const before = told.played.asked.length;
    await ticketIs(world, told, 'completed');
    const runs = await attemptsOf(world, told);
    expect(runs.map(({ attempt, state }) => `${attempt} ${state}`)).toEqual(['1 returned', '2 accepted']);
    expect(first.report?.status).toBe('done');
    const again = told.played.asked[before]?.text ?? '';
    expect(again).toContain('the answer is wrong');
    expect(await logOf(world, runs[1] ?? first)).toContain('43');
    expect(await landed(told, 'answer.txt')).toBe('42');
    note(kind, {
      feedback: hasCalled(again, 'echo 43 > answer.txt') ? 'goes on in its conversation' : 'begins anew from its work',
    });
  });
});

it('asks nobody else', async () => {
  expect(await world.others()).toEqual(Object.fromEntries(kinds.map(kind => [kind, []])));
  for (const kind of kinds) note(kind, { others: 'nobody' });
});
