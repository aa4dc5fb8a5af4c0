import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Step } from '../../harness/model-steps.ts';
import { errors, kinds, note } from '../seen.ts';
import type { ErrorName, Kind } from '../seen.ts';
import { attemptOver, expectNothingMerged, openWorld } from './world.ts';
import type { World } from './world.ts';

/** What providers of models do to runs: the same fault at every call after the first, through the gateway as it is. */
let world: World;
const timeout = 900_000;
/** The gateway waits two minutes for a provider whose breaker is open, and some agents then ask again. */
const runMs = 240_000;

beforeAll(async () => {
  // There is one attempt to be seen, and the next is far away.
  world = await openWorld({ SKEP_ATTEMPTS_MAX: '1', SKEP_RETRY_MS: '600000' });
  // An agent of the heavier ones takes a core for ten seconds to start.
  world.worker('weathered', 6);
}, 900_000);
afterAll(async () => {
  await world.close();
});

const words = 'these are words of the provider';
const refusal = (status: number, headers: Readonly<Record<string, string>> = {}): Step => ({ status, message: words, headers });

interface Weather {
  readonly step: Step;
  /** How the run may end: what an agent takes for the end of its turn is judged by what it left. */
  readonly classes: readonly string[];
  readonly says?: RegExp;
  readonly runMs?: number;
}

const provider = ['provider'];
const skies: Readonly<Record<ErrorName, Weather>> = {
  e400: { step: refusal(400), classes: ['agent_failed'], says: /these are words of the provider/ },
  e401: { step: refusal(401), classes: ['model'], says: /does not accept the key in \w+_KEY_OF_PROOF .*\(401\)/ },
  e403: { step: refusal(403), classes: ['model'], says: /does not accept the key in \w+_KEY_OF_PROOF .*\(403\)/ },
  e404: { step: refusal(404), classes: ['agent_failed'], says: /these are words of the provider|404/ },
  e408: { step: refusal(408), classes: provider, says: /did not answer \(timeout\)|breaker/ },
  e413: { step: refusal(413), classes: ['agent_failed'], says: /these are words of the provider|413/ },
  e429: { step: refusal(429, { 'retry-after': '1' }), classes: provider, says: /did not answer \(rate limit\)/ },
  e500: { step: refusal(500), classes: provider, says: /did not answer/ },
  e502: { step: refusal(502), classes: provider, says: /did not answer/ },
  e503: { step: refusal(503), classes: provider, says: /did not answer/ },
  e529: { step: refusal(529), classes: provider, says: /did not answer/ },
  reset: { step: { reset: true }, classes: provider, says: /did not answer/ },
  hang: { step: { hang: true }, classes: ['timeout'], says: /did not end within 120000 ms/, runMs: 120_000 },
  error: { step: { error: words, after: 'I think that' }, classes: provider, says: /did not answer/ },
  badJson: { step: { raw: '{"half": ', type: 'application/json' }, classes: provider, says: /did not answer/ },
  badStream: { step: { raw: 'data: {"half": \n\n', type: 'text/event-stream' }, classes: provider, says: /did not answer/ },
  cut: { step: { cut: 'I think that' }, classes: provider, says: /did not answer/ },
  length: { step: { say: 'And then I', end: 'length' }, classes: ['agent_failed'] },
  refusal: { step: { say: 'I will not do that.', end: 'refusal' }, classes: ['agent_failed'] },
};

/** What was wrong; undefined where it ended as it should. */
async function suffer(kind: Kind, name: ErrorName): Promise<string | undefined> {
  const { step, classes, says = /^/, runMs: own = runMs } = skies[name];
  const told = await world.begin(kind, [{ shell: 'echo half > half.txt' }, step], { timeoutMs: own });
  const run = await attemptOver(world, told, 1);
  await expectNothingMerged(world, told);
  const { state, failure_class: found, failure_message: message } = run;
  const calls = told.played.asked.length - 1;
  const line = `${kind} ${name}: ${state} ${found} after ${calls}: ${message}`;
  process.stdout.write(`${line}\n`);
  if (calls < 1 || state !== 'failed' || !classes.includes(found ?? '') || !says.test(message ?? '')) return line;
  note(kind, { [name]: `\`${found}\`, ${calls} ${calls === 1 ? 'call' : 'calls'}` });
  return undefined;
}

describe.each(kinds)('%s', kind => {
  it('fails of what its provider does, says why, and what it has done does not land', { timeout }, async () => {
    const wrong = await Promise.all((Object.keys(errors) as ErrorName[]).map(name => suffer(kind, name)));
    expect(wrong.filter(line => line !== undefined)).toEqual([]);
  });
});

it('asks nobody else', async () => {
  expect(await world.others()).toEqual(Object.fromEntries(kinds.map(kind => [kind, []])));
  for (const kind of kinds) note(kind, { others: 'nobody' });
});
