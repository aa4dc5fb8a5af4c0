import type { Claimed } from '../../../../contract/runs.ts';
import { isFault } from '../../../../src/kernel/fault.ts';
import { silentLog } from '../../../../src/kernel/log.ts';
import { createClaims } from '../../../../src/worker/claims.ts';
import type { SandboxProvider } from '../../../../src/worker/sandbox.ts';
import { bundleOf } from '../git/repository.ts';
import type { World } from '../parts.ts';
import { createProcess, type Process } from '../process.ts';
import { execute } from './execute.ts';
import { createFiles, simulatedProtocol } from './protocol.ts';
import type { Tools } from './tools.ts';

/** A machine with a worker on it, which crashes and is started again. */
export interface WorkerMachine {
  readonly name: string;
  start(): void;
  /** kill -9: what it worked on lies in its workspaces. False where it is down already. */
  crash(): boolean;
  /** SIGSTOP, and SIGCONT after `ms`. */
  pause(ms: number): void;
  readonly isUp: boolean;
}

/** What a dead worker has left of a run. */
interface Remains {
  readonly claimed: Claimed;
  readonly head: string | undefined;
}

const claimWaitMs = 20_000;

interface MachineOptions {
  readonly world: World;
  readonly number: number;
  readonly capabilities: readonly string[];
  readonly isPoison: (ticketId: string) => boolean;
}

export function createWorkerMachine({ world, number, capabilities, isPoison }: MachineOptions): WorkerMachine {
  const name = `w${number}`;
  const dice = world.dice.of(name);
  const files = createFiles();
  const skewMs = dice.of('skew').between(-3_600_000, 3_600_000) * Math.ceil(world.options.faults.clockSkew);
  const held = new Map<string, Remains>();
  let process: Process | undefined;

  function crash(): boolean {
    if (process === undefined) return false;
    process.kill();
    process = undefined;
    for (const { claimed } of held.values()) world.witness.died(claimed.lease.token);
    world.trace.say(name, 'dies');
    world.scheduler.after(dice.between(50, 3_000), start);
    return true;
  }

  function start(): void {
    if (process !== undefined) return;
    world.trace.say(name, 'starts');
    if (skewMs !== 0) world.strikes.count('clockSkew');
    const begun = createProcess(world.scheduler, skewMs);
    process = begun;
    const left = [...held.values()];
    held.clear();
    void bringHome(left, begun);
    void live(begun);
  }

  async function live(own: Process): Promise<void> {
    const protocol = simulatedProtocol(world, { name, number, process: own, files });
    const signal = new AbortController().signal;
    const request = () => Promise.resolve({ worker: name, capabilities, waitMs: claimWaitMs });
    const options = { protocol, sandboxes, request, clock: own.clock, random: () => dice.next(), log: silentLog, signal };
    const claims = createClaims({ ...options, onTrouble: () => {} });
    const running = new Set<Promise<void>>();
    for (;;) {
      if (running.size >= world.options.slots) await Promise.race(running);
      const claimed = await claims.next();
      if (claimed === undefined) continue;
      const { id, attempt } = claimed.run;
      world.trace.say(name, `has ${claimed.subject.type} ${world.trace.name(claimed.subject.id)} attempt ${attempt}`);
      held.set(id, { claimed, head: undefined });
      world.witness.begins(claimed);
      const tools = toolsFor(own, { claimed, protocol });
      const run = execute(claimed, tools).then(end => {
        held.delete(id);
        running.delete(run);
        const words = end.kind === 'failed' ? end.failure.class : end.kind === 'lost' ? end.reason.code : '';
        world.trace.say(name, `ends ${world.trace.name(claimed.subject.id)} attempt ${attempt}: ${end.kind} ${words}`);
        claims.learn(end);
      });
      running.add(run);
    }
  }

  function toolsFor(own: Process, { claimed, protocol }: { claimed: Claimed; protocol: Tools['protocol'] }): Tools {
    return {
      world,
      protocol,
      clock: own.clock,
      dice,
      files,
      onCommit: head => void held.set(claimed.run.id, { claimed, head }),
      survive: ticketId => {
        if (!isPoison(ticketId) || !world.isFaulty()) return Promise.resolve();
        world.strikes.count('poison');
        crash();
        return new Promise(() => {});
      },
    };
  }

  /** What the orphans of a worker come to: the work is brought home, and the server told that its holder is dead. */
  async function bringHome(left: readonly Remains[], own: Process): Promise<void> {
    for (const { claimed, head } of left) {
      if (!dice.chance(world.options.faults.rescue)) continue;
      world.strikes.count('rescue');
      const { run, subject } = claimed;
      const claim = { runId: run.id, fence: run.fence ?? 0 };
      await own.clock.sleep(dice.around(500));
      const isWork = head !== undefined && subject.type === 'ticket';
      if (isWork) await insist(own, () => rescueBytes(claimed, head), claim);
      await untilHeard(own, async () => {
        await world.network.call({ from: own, to: world.serverOf(number) }, server => server.bury(name, claim));
        world.trace.say(name, `buried ${world.trace.name(subject.id)}`);
      });
    }
  }

  function rescueBytes({ task, ticket }: Claimed, head: string): Buffer {
    return bundleOf(world.graph, { branch: `skep/${ticket?.id ?? ''}`, head, not: [task.commit] });
  }

  function insist(own: Process, bytes: () => Buffer, claim: { runId: string; fence: number }): Promise<void> {
    return untilHeard(own, () =>
      world.network.call({ from: own, to: world.serverOf(number) }, server => server.rescue(name, claim, bytes())),
    );
  }

  /** Again and again while the server does not answer; a refusal is an answer. */
  async function untilHeard(own: Process, tell: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        return await tell();
      } catch (error) {
        if (!isFault(error) || !error.kind.retry) return;
        await own.clock.sleep(dice.between(100, 2_000));
      }
    }
  }

  return {
    name,
    start,
    crash,
    pause(ms) {
      world.trace.say(name, `stops for ${ms}`);
      if (process === undefined) return;
      world.strikes.count('workerPause');
      if (held.size > 0 && ms > world.options.settings.leaseMs) world.strikes.count('pausePastLease');
      process.stopFor(ms);
    },
    get isUp() {
      return process !== undefined;
    },
  };
}

const sandboxes: SandboxProvider = {
  probe: () => Promise.resolve({ ok: true, details: {} }),
} as unknown as SandboxProvider;
