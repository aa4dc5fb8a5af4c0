import { expect, test } from 'vitest';
import { createDice } from './dice.ts';
import { createNetwork, type Peer } from './network.ts';
import { optionsOf, type FaultKind } from './options.ts';
import { createProcess, type Process } from './process.ts';
import { beginning, createScheduler, type Scheduler } from './scheduler.ts';
import { createStrikes } from './strikes.ts';

interface Verbs {
  echo(word: string): Promise<string>;
}

interface Bench {
  readonly scheduler: Scheduler;
  readonly caller: Process;
  readonly peer: Peer<Verbs> & { die(): void };
  readonly heard: string[];
  ask(word: string, timeoutMs?: number): void;
  readonly answers: string[];
}

function bench(on: Partial<Record<FaultKind, number>>, workMs = 0): Bench {
  const scheduler = createScheduler();
  const [caller, process] = [createProcess(scheduler, 0), createProcess(scheduler, 0)];
  const [heard, answers, dead]: [string[], string[], (() => void)[]] = [[], [], []];
  const { faults } = optionsOf(1, { without: [] });
  const none = Object.fromEntries(Object.keys(faults).map(kind => [kind, 0])) as typeof faults;
  const strikes = createStrikes({ faults: { ...none, ...on }, isFaulty: () => true });
  const parts = { scheduler, dice: createDice(1), strikes, onUnexpected: () => {} };
  const network = createNetwork<Verbs>(parts);
  const peer = {
    process,
    verbs: {
      async echo(word: string) {
        heard.push(word);
        await process.clock.sleep(workMs);
        return word;
      },
    },
    whenDead: (callback: () => void) => void dead.push(callback),
    die() {
      process.kill();
      for (const each of dead) each();
    },
  };
  const ask: Bench['ask'] = (word, timeoutMs) =>
    void network
      .call({ from: caller, to: peer, timeoutMs }, verbs => verbs.echo(word))
      .then(
        answer => answers.push(answer),
        (error: unknown) => answers.push(String(error)),
      );
  return { scheduler, caller, peer, heard, ask, answers };
}

test('a call is answered; where nothing goes wrong it is heard once', async () => {
  const { scheduler, ask, heard, answers } = bench({});
  ask('a');
  await scheduler.run(beginning + 100);
  expect([heard, answers]).toEqual([['a'], ['a']]);
});

test('a lost request is not heard, a lost answer was heard, and both look the same to who called', async () => {
  for (const [kind, count] of [
    ['lostRequest', 0],
    ['lostAnswer', 1],
  ] as const) {
    const { scheduler, ask, heard, answers } = bench({ [kind]: 1 });
    ask('a');
    await scheduler.run(beginning + 60_000);
    expect(heard).toHaveLength(count);
    expect(answers).toEqual([expect.stringMatching(/was cut|no answer within/)]);
  }
});

test('a message that comes twice is heard twice and answered once', async () => {
  const { scheduler, ask, heard, answers } = bench({ duplicate: 1 });
  ask('a');
  await scheduler.run(beginning + 60_000);
  expect([heard, answers]).toEqual([['a', 'a'], ['a']]);
});

test('who dies in the middle answers no more, and who was called back does not hear it', async () => {
  const { scheduler, ask, peer, caller, answers } = bench({}, 1_000);
  ask('a');
  scheduler.after(500, () => peer.die());
  await scheduler.run(beginning + 600);
  expect(answers).toEqual([expect.stringContaining('was cut')]);
  ask('b');
  caller.kill();
  await scheduler.run(beginning + 60_000);
  expect(answers).toHaveLength(1);
});
