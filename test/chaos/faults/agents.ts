import { readFileSync } from 'node:fs';
import { systemClock } from '../../../src/kernel/clock.ts';
import { allEvents } from '../../harness/farm.ts';
import { until } from '../../harness/process.ts';
import { comeClean, type Verdict } from '../oracle.ts';
import { patienceMs } from '../report.ts';
import { leaseMs, patienceMs as tooLongMs, type World } from '../world.ts';

/** `agent`: its own process; `sandbox`: process 1 of its sandbox, with which all in it dies. */
export type Victim = 'agent' | 'sandbox';

export interface Death {
  readonly verdict: Verdict;
  /** From the kill until all was done. */
  readonly ms: number;
  /** From the kill until the server was told. */
  readonly toldMs: number;
  readonly failureClass: string;
}

/** An agent is in the middle of a tool when it, or the sandbox around it, is killed; the next attempt goes on from its work. */
export async function killAgent(world: World, victim: Victim): Promise<Death> {
  const id = await world.ticket(world.project('sleeping'));
  const tool = await until('the agent is in the middle of a tool', () => world.sleepers().find(isTool), tooLongMs);
  const before = (await allEvents(world.farm())).length;
  const since = systemClock.mono();
  process.kill(victim === 'agent' ? tool : processOneOf(tool), 'SIGKILL');
  const failed = await until(
    'the server is told',
    async () =>
      (await allEvents(world.farm()))
        .slice(before)
        .find(({ type, payload }) => payload['subject'] === id && (type === 'run.failed' || type === 'run.lost')),
    tooLongMs,
  );
  const toldMs = Math.round(systemClock.mono() - since);
  const { verdict } = await comeClean(world.scene(), patienceMs(leaseMs) - toldMs);
  return {
    verdict,
    ms: Math.round(systemClock.mono() - since),
    toldMs,
    failureClass: failed.type === 'run.lost' ? 'lost' : String(failed.payload['class']),
  };
}

/** Not one of those around it, on whose command lines it stands too. */
function isTool(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n';
  } catch {
    return false;
  }
}

/** The process of bubblewrap that is process 1 in there: the last one on the way up before the one outside. */
function processOneOf(pid: number): number {
  for (let at = pid; ; at = parentOf(at)) {
    if (at <= 1) throw new Error(`process ${pid} is in no sandbox`);
    if (depthOf(at) > 1 && depthOf(parentOf(at)) === 1) return at;
  }
}

/** In how many process namespaces it is, one within the other. */
function depthOf(pid: number): number {
  return (/^NSpid:\s+(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '').split(/\s+/).length;
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}
