import type { Claimed } from '../../../../contract/runs.ts';
import { isFault } from '../../../../src/kernel/fault.ts';
import { runFailure } from '../../../../src/worker/failure.ts';
import type { Lease } from '../../../../src/worker/lease.ts';
import type { Tools } from './tools.ts';

/** An agent asks so often, where nobody answers. */
const triesMax = 3;

/** What an agent asks while it works: a person, once, and its model. Ends its turn where it is told to. */
export async function talk(claimed: Claimed, tools: Tools, lease: Lease): Promise<'goes on' | 'ends its turn'> {
  const { asks, models } = tools.world.options;
  if (asks > 0 && (await askPerson(claimed, tools, lease)) === 'ends its turn') return 'ends its turn';
  if (models === 'none') return 'goes on';
  return callModels(claimed, tools, lease);
}

async function askPerson(claimed: Claimed, tools: Tools, lease: Lease): Promise<'goes on' | 'ends its turn'> {
  const { world, dice, protocol } = tools;
  const { ticket, gateway } = claimed;
  const own = world.dice.of(`asks ${ticket?.id}`);
  if (ticket === null || !own.chance(world.options.asks)) return 'goes on';
  const isTold = (claimed.task.answers ?? []).length > 0;
  // Some ask again what they have been told.
  if (isTold && dice.chance(0.7)) return 'goes on';
  const asked = { question: `Which way for ${ticket.id}?`, ...(own.chance(0.5) ? { default: 'the short one' } : {}) };
  const answer = await insist(tools, lease, () => protocol.askHuman(gateway.token, asked, { signal: lease.ending }));
  const outcome = answer?.['outcome'];
  if (outcome === 'answered' || outcome === 'default') world.witness.heard(ticket.id, outcome, answer?.['answer'] ?? null);
  return outcome === 'later' || outcome === 'stopped' ? 'ends its turn' : 'goes on';
}

async function callModels({ gateway }: Claimed, tools: Tools, lease: Lease): Promise<'goes on' | 'ends its turn'> {
  const { dice, protocol } = tools;
  for (let calls = dice.between(1, 3); calls > 0; calls--) {
    const ask = () => insist(tools, lease, () => protocol.callModel(gateway.token, { signal: lease.ending }));
    // Some have helpers.
    const answers = await Promise.all(dice.chance(0.4) ? [ask(), ask()] : [ask()]);
    // Its budget is spent, or its account is.
    if (answers.some(status => status === 402 || status === 403)) return 'ends its turn';
    const odd = answers.find(status => status !== undefined && status !== 200);
    if (odd !== undefined) throw runFailure('agent_failed', `its model answered ${odd}`);
  }
  return 'goes on';
}

/** Undefined where the server does not answer, or knows the run no more: the lease tells soon enough. */
async function insist<T>({ clock }: Tools, lease: Lease, ask: () => Promise<T>): Promise<T | undefined> {
  for (let tries = 1; tries <= triesMax; tries++) {
    try {
      return await ask();
    } catch (error) {
      lease.ending.throwIfAborted();
      if (!isFault(error)) throw error;
      if (!error.kind.retry) return undefined;
    }
    await clock.sleep(200 * tries, lease.ending);
    lease.ending.throwIfAborted();
  }
  return undefined;
}
