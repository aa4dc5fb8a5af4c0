import type { Claimed, RunResult } from '../../../../contract/runs.ts';
import type { Clock } from '../../../../src/kernel/clock.ts';
import { Fault, isFault } from '../../../../src/kernel/fault.ts';
import { silentLog } from '../../../../src/kernel/log.ts';
import type { Protocol } from '../../../../src/worker/client.ts';
import { failureOf, runFailure } from '../../../../src/worker/failure.ts';
import { holdLease, type Lease } from '../../../../src/worker/lease.ts';
import type { RunEnd } from '../../../../src/worker/run/index.ts';
import type { Dice } from '../dice.ts';
import { bundleOf } from '../git/repository.ts';
import type { World } from '../parts.ts';
import { evidenceOf, type Fate, fateOf, isSound, resolve, workOn } from './agent.ts';
import { talk } from './talk.ts';
import type { Tools } from './tools.ts';

const closingMsMax = 600_000;

/**
 * A run from its claim to its end, as executeRun and phases.ts of the worker do it, with the worker's own lease; without sandbox and agent,
 * in whose place stand a while and a commit.
 */
export async function execute(claimed: Claimed, tools: Tools): Promise<RunEnd> {
  const { run, lease: granted } = claimed;
  const { protocol, clock, dice } = tools;
  const key = { runId: run.id, token: granted.token };
  const options = { protocol, key, clock, random: () => dice.next(), log: silentLog };
  const lease = holdLease({ ...options, leaseMs: granted.lease_ms, heartbeatMs: granted.heartbeat_ms });
  try {
    await lease.confirmed();
    return await carryOut(claimed, tools, lease);
  } catch (error) {
    return await endBadly({ error, result: undefined }, lease, protocol);
  } finally {
    await lease.release();
  }
}

async function carryOut(claimed: Claimed, tools: Tools, lease: Lease): Promise<RunEnd> {
  const { type } = claimed.subject;
  await fetchCommits(tools, lease);
  if (tools.dice.chance(0.3)) await report(tools, lease);
  if (type === 'review') return review(claimed, tools, lease);
  if (type === 'ticket') return work(claimed, tools, lease);
  if (type === 'conflict') return settleConflict(claimed, tools, lease);
  throw runFailure('invalid_task', `nobody here knows runs of a ${type}`);
}

const fetchTriesMax = 3;

/** Through outages of the server; what it cannot serve is a failure of the repository, as the worker's own fetch tells it. */
async function fetchCommits({ protocol }: Tools, lease: Lease): Promise<void> {
  let refusals = 0;
  await lease.send(async (key, call) => {
    try {
      await protocol.fetch(key, call);
    } catch (error) {
      if (!isFault(error, 'repository_unavailable')) throw error;
      if (++refusals >= fetchTriesMax) throw runFailure('repository', error.message);
      throw error;
    }
  });
}

async function work(claimed: Claimed, tools: Tools, lease: Lease): Promise<RunEnd> {
  const { world, clock, dice, protocol } = tools;
  const { ticket } = claimed;
  if (ticket === null) throw runFailure('invalid_task', 'no ticket');
  const fate = fateIn(world, dice);
  lease.progress({ state: 'working', sandbox: 's' });
  await nap(clock, fate.workMs / 2, lease);
  const now = world.scheduler.now();
  const half = workOn(world.graph, claimed, { quality: 'half', now, touchesTests: false });
  tools.onCommit(half);
  await tools.survive(ticket.id);
  if ((await talk(claimed, tools, lease)) === 'ends its turn') return endTurn(claimed, tools, { lease, head: half });
  await nap(clock, fate.workMs / 2, lease);
  if (fate.failure !== undefined) {
    const error = runFailure(fate.failure, 'as the dice fell');
    const result = fate.leavesWork ? await handOver(claimed, tools, { lease, head: half }) : undefined;
    return endBadly({ error, result }, lease, protocol);
  }
  const quality = fate.isBad ? 'bad' : 'good';
  const head = workOn(world.graph, claimed, { quality, now: world.scheduler.now(), touchesTests: fate.touchesTests });
  tools.onCommit(head);
  return endTurn(claimed, tools, { lease, head });
}

/** As the worker's phases.ts: what the server knows to stand in the way of the run decides, whatever the agent says of its end. */
async function endTurn(claimed: Claimed, tools: Tools, { lease, head }: { lease: Lease; head: string }): Promise<RunEnd> {
  lease.closeWithin(closingMsMax);
  const { asks, models } = tools.world.options;
  // Where nobody asks anything, what the last heartbeat has said is as good.
  const isAsked = asks > 0 || models !== 'none';
  const last = isAsked ? await lease.send((key, call) => tools.protocol.heartbeat(key, { state: 'working' }, call)) : undefined;
  const isHalted = (last?.halt ?? null) !== null || lease.halted.aborted;
  const result = await handOver(claimed, tools, { lease, head });
  return isHalted ? park(tools, lease, result) : submit(tools, lease, result);
}

function fateIn({ options, strikes, isFaulty }: World, dice: Dice): Fate {
  const fate = fateOf(dice, options, isFaulty());
  if (fate.failure !== undefined) strikes.count('agentFails');
  if (fate.isBad) strikes.count('badWork');
  return fate;
}

async function settleConflict(claimed: Claimed, tools: Tools, lease: Lease): Promise<RunEnd> {
  const { world, clock, dice } = tools;
  lease.progress({ state: 'working', sandbox: 's' });
  const fate = fateIn(world, dice);
  await nap(clock, fate.workMs / 2, lease);
  if (fate.failure !== undefined) throw runFailure(fate.failure, 'as the dice fell');
  const head = resolve(world.graph, claimed, world.scheduler.now());
  lease.closeWithin(closingMsMax);
  return submit(tools, lease, await handOver(claimed, tools, { lease, head }));
}

async function review(claimed: Claimed, tools: Tools, lease: Lease): Promise<RunEnd> {
  const { world, clock, dice } = tools;
  const { commit } = claimed.task;
  lease.progress({ state: 'working', sandbox: 's' });
  await nap(clock, dice.around(300), lease);
  const isFlaky = world.strikes.happens(dice, 'flakyChecks');
  const isGreen = isSound(world.graph, commit) && !isFlaky;
  world.witness.checked(commit, isGreen);
  lease.closeWithin(closingMsMax);
  return submit(tools, lease, { summary: '', checks: evidenceOf(claimed, isGreen) });
}

/** A bundle of the work, at the server. */
async function handOver(
  { task, ticket }: Claimed,
  { world, protocol, files }: Tools,
  { lease, head }: { readonly lease: Lease; readonly head: string },
): Promise<RunResult> {
  const branch = `skep/${ticket?.id ?? 'none'}`;
  const not = [task.commit, ...(task.merge === null ? [] : [task.merge])];
  const descriptor = files.open(bundleOf(world.graph, { branch, head, not }));
  const bundle = await lease.send((key, call) => protocol.putBundle(key, descriptor, call));
  return { summary: '', base: task.commit, head, branch, bundle };
}

async function submit({ protocol }: Tools, lease: Lease, result: RunResult): Promise<RunEnd> {
  lease.ending.throwIfAborted();
  await lease.sendLast((key, call) => protocol.complete(key, result, call));
  return { kind: 'submitted', result };
}

async function park({ protocol }: Tools, lease: Lease, result: RunResult): Promise<RunEnd> {
  lease.ending.throwIfAborted();
  await lease.sendLast((key, call) => protocol.park(key, result, call));
  return { kind: 'parked', result, halt: { kind: 'budget', message: 'spent' } };
}

async function report({ protocol, dice }: Tools, lease: Lease): Promise<void> {
  await lease.send((key, call) => protocol.report(key, { type: 'phase.started', payload: { phase: 'stream' } }, call));
  const bytes = Buffer.from('working\n');
  if (dice.chance(0.5)) await lease.send((key, call) => protocol.appendLog(key, { offset: 0, bytes }, call));
}

interface BadEnd {
  readonly error: unknown;
  readonly result: RunResult | undefined;
}

/** As the worker's run/index.ts ends what went wrong. */
async function endBadly({ error, result }: BadEnd, lease: Lease, protocol: Protocol): Promise<RunEnd> {
  const lost = lostBy(error, lease);
  if (lost !== undefined) return { kind: 'lost', reason: lost };
  const failure = failureOf(error);
  const ended = { ...failure, ...(result === undefined ? {} : { result }) };
  try {
    await lease.handBack((key, call) => protocol.fail(key, ended, call));
  } catch (unsent) {
    return { kind: 'lost', reason: lostBy(unsent, lease) ?? new Fault('lease_lost', { cause: unsent }) };
  }
  return { kind: 'failed', failure, sandboxBroke: false, isStopped: failure.class === 'stopped' };
}

function lostBy(error: unknown, lease: Lease): Fault | undefined {
  const reason: unknown = lease.signal.aborted ? lease.signal.reason : error;
  const isLoss = lease.signal.aborted || isFault(error, 'lease_lost');
  return isLoss && isFault(reason) ? reason : undefined;
}

/** Work stops the moment the lease is lost. */
async function nap(clock: Clock, ms: number, lease: Lease): Promise<void> {
  await clock.sleep(ms, lease.ending);
  lease.ending.throwIfAborted();
}
