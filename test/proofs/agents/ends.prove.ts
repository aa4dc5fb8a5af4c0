import { afterAll, beforeAll, expect, it } from 'vitest';
import type { WireWorker } from '../../../contract/fleet/workers.ts';
import type { WireRun } from '../../../contract/runs.ts';
import type { WireQuestion } from '../../../contract/talk/questions.ts';
import type { Step } from '../../harness/model-steps.ts';
import { until } from '../../harness/process.ts';
import type { SkepProcess } from '../../harness/process.ts';
import { processesWith } from '../../harness/worker.ts';
import { killAgent } from '../agent-stories.ts';
import { kinds, note } from '../seen.ts';
import type { Kind, Row } from '../seen.ts';
import type { Asked } from './players.ts';
import {
  attemptOver,
  attemptsOf,
  each,
  expectNothingMerged,
  hasCalled,
  logOf,
  openWorld,
  ticketIs,
  ticketOf,
  transcriptOf,
} from './world.ts';
import type { Told, World } from './world.ts';

/** How work ends before it is done: all agents at once, in the middle of what they do. */
let world: World;
const timeout = 600_000;

beforeAll(async () => {
  // Who finds what a dead worker left says so long before its lease runs out.
  const quick = { SKEP_LEASE_MS: '120000', SKEP_HEARTBEAT_MS: '5000', SKEP_RETRY_MS: '100', SKEP_RESTART_COOLDOWN_S: '0' };
  world = await openWorld({ ...quick, SKEP_ATTEMPTS_MAX: '1' });
}, 900_000);
afterAll(async () => {
  await world.close();
});

let current: SkepProcess | undefined;
/** A worker in the place of the one that is there. */
async function worker(name: string): Promise<SkepProcess> {
  await current?.kill('SIGTERM');
  current = world.worker(name, kinds.length);
  return current;
}

/** An argument by which a command is found among all processes of the machine. */
const markOf = (story: number, kind: Kind): string => `9${story}${kinds.indexOf(kind)}.${process.pid}`;

interface Middle {
  readonly told: Told;
  /** From now on the model answers again: whoever asks is the next attempt, and not one that dies. */
  goOn(): void;
}

/** Half of the work, and then a command that does not end: what comes after it has an end of its own. */
async function inTheMiddle(kind: Kind, mark: string): Promise<Middle> {
  // Claude Code writes its conversation a moment later than it works. An agent that keeps none has no such folder.
  const kept = "until ! test -e /kept || grep -rqs '[e]cho half' /kept; do sleep 0.05; done";
  const first: readonly Step[] = [{ shell: 'echo half > half.txt' }, { shell: `${kept}; sleep ${mark}` }];
  let next: Step[] | undefined;
  const told = await world.begin(kind, (_: Asked, count) => {
    if (next === undefined) return first[count - 1] ?? { hang: true };
    return next.shift() ?? { say: 'Done.' };
  });
  await until(`${kind} to be in the middle of it`, () => processesWith(mark).length > 0 || undefined, timeout);
  return { told, goOn: () => void (next ??= [{ shell: 'cat half.txt; echo done > done.txt' }]) };
}

/** The next attempt has the work, and where the agent can the conversation too. */
async function expectToGoOn({ told }: Middle, first: Partial<WireRun>, row: Row): Promise<void> {
  await ticketIs(world, told, 'completed');
  const [broken, next] = await attemptsOf(world, told);
  expect(broken).toMatchObject(first);
  expect(next).toMatchObject({ attempt: 2, state: 'accepted' });
  if (next === undefined) throw new Error('there is no second attempt');
  expect(await logOf(world, next)).toMatch(/^ +half$/m);
  const again = told.played.asked.find(({ text }) => text.includes('cat half.txt')) ?? { text: '' };
  // What was called in the first attempt stands before it, in the conversation alone.
  const goesOn = hasCalled(again.text, 'echo half > half.txt');
  note(told.kind, { [row]: goesOn ? 'goes on in its conversation' : 'begins anew from its work' });
}

async function ofEach(stories: readonly Middle[], expectOf: (middle: Middle) => Promise<void>): Promise<void> {
  for (const { goOn } of stories) goOn();
  await each(kind => Promise.all(stories.filter(({ told }) => told.kind === kind).map(expectOf)));
}

it('a worker that is stopped hands back what it has, and another goes on with it', { timeout }, async () => {
  const stopped = await worker('stopped');
  const stories = await each(kind => inTheMiddle(kind, markOf(1, kind)));
  // The first lets runs end, the second ends them.
  process.kill(stopped.pid, 'SIGTERM');
  await until('the first to be heard', async () => {
    const { body } = await world.farm.call('GET', '/api/workers');
    return (body['workers'] as WireWorker[]).find(({ name }) => name === 'stopped')?.state !== 'active' || undefined;
  });
  await stopped.kill('SIGTERM');
  expect((await stopped.ended).code).toBe(0);
  await worker('heir');
  await ofEach(stories, middle => expectToGoOn(middle, { state: 'failed', failure_class: 'stopped' }, 'drained'));
});

it('an agent that is killed is noticed at once, and the next goes on with it', { timeout }, async () => {
  const stories = await each(async kind => {
    const middle = await inTheMiddle(kind, markOf(2, kind));
    middle.goOn();
    killAgent(markOf(2, kind));
    return middle;
  });
  await ofEach(stories, middle => expectToGoOn(middle, { state: 'failed', failure_class: 'agent_died' }, 'killed'));
});

it('a run that is cancelled in a tool ends with all in it, and nothing lands', { timeout }, async () => {
  await each(async kind => {
    const mark = markOf(3, kind);
    const { told } = await inTheMiddle(kind, mark);
    await cancel(told);
    await until(`the command of ${kind} to be gone`, () => processesWith(mark).length === 0 || undefined);
    await expectCancelled(told);
    note(kind, { cancelledTool: 'ends with its sandbox' });
  });
});

it('a run that is cancelled while the model thinks ends, and so does the call', { timeout }, async () => {
  await each(async kind => {
    const told = await world.begin(kind, [{ shell: 'echo half > half.txt' }, { hang: true }]);
    await until(`the model of ${kind} to think`, () => told.played.asked.length === 2 || undefined, timeout);
    await cancel(told);
    await until(`the call of ${kind} to be broken off`, () => told.played.asked[1]?.isLeft === true || undefined);
    await expectCancelled(told);
    expect(told.played.asked).toHaveLength(2);
    note(kind, { cancelledCall: 'ends with its sandbox' });
  });
});

async function cancel(told: Told): Promise<void> {
  const { id } = await ticketOf(world, told);
  const { status } = await world.farm.call('POST', `/api/tickets/${id}/cancel`);
  expect(status).toBe(200);
}

async function expectCancelled(told: Told): Promise<void> {
  expect(await attemptOver(world, told, 1)).toMatchObject({ state: 'cancelled', result: null });
  await ticketIs(world, told, 'cancelled');
  expect(await attemptsOf(world, told)).toHaveLength(1);
  await expectNothingMerged(world, told);
}

it('an agent whose script does not fit says so: its run stops, a person is asked, and nothing is committed', {
  timeout,
}, async () => {
  await each(async kind => {
    const reason = `The file of ${kind} is not there`;
    const told = await world.begin(kind, [
      { shell: 'cat nowhere.txt || echo half > half.txt' },
      { report: 'report_blocker', args: { reason } },
      { say: 'I stop here.' },
    ]);
    const run = await attemptOver(world, told, 1);
    expect(run).toMatchObject({
      state: 'failed',
      failure_class: 'blocked',
      failure_message: expect.stringContaining(reason) as string,
    });
    expect([run.result?.head, run.report]).toEqual([undefined, null]);
    await ticketIs(world, told, 'waiting');
    const { body } = await world.farm.call('GET', '/api/questions?state=pending');
    expect((body['questions'] as WireQuestion[]).filter(({ subject_id: id }) => id === run.id)).toMatchObject([
      { kind: 'blocker', text: expect.stringContaining(reason) as string },
    ]);
    await expectNothingMerged(world, told);
    const called = await transcriptOf(world, run);
    const tool = called.find(event => event.type === 'tool_call' && JSON.stringify(event).includes(reason));
    expect(tool).toBeDefined();
    note(kind, { blocked: '`blocked`, and a person is asked' });
  });
});

it('an agent that gives up without a word has done nothing, and its ticket fails', { timeout }, async () => {
  await each(async kind => {
    const told = await world.begin(kind, [
      { shell: 'cat nowhere.txt' },
      { say: 'This does not fit what I was told. I give up.' },
    ]);
    const run = await attemptOver(world, told, 1);
    expect(run).toMatchObject({ state: 'failed', failure_class: 'no_changes' });
    expect(run.failure_message).toContain('I give up');
    expect((await ticketIs(world, told, 'failed')).status_reason).toBeTruthy();
    await expectNothingMerged(world, told);
    note(kind, { gaveUp: '`no_changes`, with its last words' });
  });
});

it('a worker that is killed is noticed, and another goes on with what it leaves', { timeout }, async () => {
  const doomed = await worker('doomed');
  const stories = await each(kind => inTheMiddle(kind, markOf(4, kind)));
  await doomed.kill('SIGKILL');
  const isGone = (kind: Kind): boolean => processesWith(markOf(4, kind)).length === 0;
  await until('their sandboxes to be gone', () => kinds.every(isGone) || undefined);
  await worker('last');
  await ofEach(stories, middle => expectToGoOn(middle, { state: 'lost' }, 'workerKilled'));
});

it('asks nobody else', async () => {
  expect(await world.others()).toEqual(Object.fromEntries(kinds.map(kind => [kind, []])));
  for (const kind of kinds) note(kind, { others: 'nobody' });
});
