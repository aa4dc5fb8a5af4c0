import { createJobs } from '../../../../src/db/jobs/index.ts';
import { flow, type FlowParts, nets, tasks } from '../../../../src/flow.ts';
import { Fault, isFault } from '../../../../src/kernel/fault.ts';
import type { Log } from '../../../../src/kernel/log.ts';
import { silentLog } from '../../../../src/kernel/log.ts';
import type { Lifecycle } from '../../../../src/kernel/loop.ts';
import type { BlobStore } from '../../../../src/stages/runs/index.ts';
import { createAgeing, createClaimDesk, createNets, createStormWatch, createSweep } from '../../../../src/stages/runs/index.ts';
import type { Depot, Upstream } from '../../../../src/support/repositories/index.ts';
import type { DatabaseFaults } from '../../database/faults.ts';
import { openSimulatedDatabase } from '../../database/index.ts';
import { createSimulatedListener } from '../../database/listener.ts';
import { takeSimulatedJobs } from '../../database/slots.ts';
import type { MemoryPostgres } from '../../postgres/types.ts';
import type { Dice } from '../dice.ts';
import type { Peer } from '../network.ts';
import type { FaultKind } from '../options.ts';
import type { World } from '../parts.ts';
import { createProcess, type Process } from '../process.ts';
import { agentVerbs } from './agents.ts';
import { simulatedGateway, simulatedTargets } from './models.ts';
import { serverVerbs, type ServerVerbs } from './verbs.ts';
import { witnessed } from './witnessed.ts';

/** A machine with a server on it, which crashes and is started again. */
export interface ServerMachine {
  /** Undefined while it is down. */
  readonly peer: Peer<ServerVerbs> | undefined;
  start(): void;
  /** False where it is down already. */
  crash(): boolean;
}

export interface Stores {
  readonly depot: Depot;
  readonly blobs: BlobStore;
  readonly upstream: Upstream;
}

interface MachineOptions {
  readonly world: World;
  readonly number: number;
  readonly postgres: MemoryPostgres;
  readonly isJobDue: () => boolean;
  readonly tenantId: string;
  /** What lies on its disk, for one life of it. */
  readonly openStores: (process: Process, dice: Dice) => Stores;
  readonly whenDown: () => void;
  /** Something was thrown that nobody foresaw. */
  readonly onUnexpected: (where: string, error: unknown) => void;
}

export function createServerMachine(options: MachineOptions): ServerMachine {
  const { world, number } = options;
  const name = `s${number}`;
  const dice = world.dice.of(name);
  const skewMs = dice.of('skew').between(-3_600_000, 3_600_000) * Math.ceil(world.options.faults.clockSkew);
  let life: Life | undefined;
  let lives = 0;
  const machine = {
    get peer() {
      return life?.peer;
    },
    start() {
      if (life !== undefined) return;
      world.trace.say(name, 'starts');
      if (skewMs !== 0) world.strikes.count('clockSkew');
      lives += 1;
      life = begin(options, {
        name: `${name}.${lives}`,
        dice: dice.of(`life ${lives}`),
        process: createProcess(world.scheduler, skewMs),
      });
    },
    crash() {
      if (life === undefined) return false;
      world.trace.say(name, 'dies');
      life.end();
      life = undefined;
      options.whenDown();
      world.scheduler.after(dice.between(100, 4_000), machine.start);
      return true;
    },
  };
  return machine;
}

interface Life {
  readonly peer: Peer<ServerVerbs>;
  end(): void;
}

interface Birth {
  readonly name: string;
  readonly dice: Dice;
  readonly process: Process;
}

/** As src/main.ts puts a server together, but for HTTP and the gateway. */
function begin(options: MachineOptions, { name, dice, process }: Birth): Life {
  const { world, postgres, isJobDue, tenantId, openStores, onUnexpected } = options;
  const { scheduler } = world;
  const settings = { ...world.options.settings, modelTargets: simulatedTargets };
  const { clock } = process;
  const meeting = { postgres, scheduler, process, dice: dice.of('database'), faults: databaseFaults(world, dice.of('cuts')) };
  const database = openSimulatedDatabase({ ...meeting, routes: flow });
  const log = watchedLog(name, onUnexpected);
  const parts = { database, ...openStores(process, dice.of('disk')), settings };
  const listener = createSimulatedListener(meeting);
  const desk = createClaimDesk({ database, listener, settings, clock, log });
  const whenFailed = (job: { readonly task: string }, error: unknown): void => onUnexpected(`the job ${job.task}`, error);
  const lateMs = lateJobs(world, dice.of('late'));
  const take = takeSimulatedJobs({
    database,
    tasks: watchedTasks(parts, world),
    clock,
    name,
    isAnyDue: isJobDue,
    whenFailed,
    lateMs,
  });
  const shared = { database, settings, clock, log };
  const about = { name, version: '0', url: '', state: 'active' as const };
  const gateway =
    world.options.models === 'none'
      ? undefined
      : simulatedGateway({ world, database, clock, log, process, dice: dice.of('gateway') });
  const agents = agentVerbs({ world, database, clock, settings, gateway });
  const loops: Lifecycle[] = [
    ...(gateway === undefined ? [] : [gateway]),
    listener,
    desk,
    createJobs({ database, tasks: tasks(parts), server: () => about, take, clock, log }),
    createNets({ ...shared, nets: nets(parts) }),
    createSweep(shared),
    createAgeing(shared),
    createStormWatch(shared),
  ];
  for (const loop of loops) loop.start();
  const dead: (() => void)[] = [];
  return {
    peer: {
      process,
      verbs: witnessed(serverVerbs({ ...parts, desk, clock, tenantId, agents }), world, options.number),
      whenDead: callback => void dead.push(callback),
    },
    end() {
      process.kill();
      database.crash();
      void listener.stop();
      for (const callback of dead) callback();
    },
  };
}

/** The witness hears when all that waits was looked at. */
function watchedTasks(parts: FlowParts, { witness, scheduler }: World): ReturnType<typeof tasks> {
  const all = tasks(parts);
  return {
    ...all,
    async refitAllRuns(job) {
      const since = scheduler.now();
      await all.refitAllRuns(job);
      witness.refitted(since);
    },
  };
}

function databaseFaults(world: World, dice: Dice): DatabaseFaults {
  const { faults, databaseMsMax, settings } = world.options;
  const { strikes } = world;
  const happens = (kind: FaultKind, rate?: number): boolean => strikes.happens(dice, kind, rate);
  const [line, disk] = [dice.of('line'), dice.of('disk')];
  return {
    takesMs: () => (happens('slowDatabase') ? dice.between(5, 800) : dice.between(0, databaseMsMax)),
    lagMs: () => (strikes.happens(line, 'slowTransaction') ? line.between(5, 60) : 0),
    flushMs: text =>
      strikes.happens(disk, 'slowCommit', faults.slowCommit * (renews.test(text) ? 4 : 1)) ? stallMs(disk, settings.leaseMs) : 0,
    isCutBeforeCommit: () => happens('cutBeforeCommit'),
    isCutAfterCommit: () => happens('cutAfterCommit'),
    isNotificationLost: () => happens('lostNotification', faults.lostNotification * 0.1),
  };
}

/** What keeps a lease is what a late commit harms most, and there is little of it. */
const renews = /^update runs r set lease_expires_at|set state = 'working', lease_expires_at/;

/** A moment, or nearly as long as a lease: what renews one is then committed when the last one has run out. */
function stallMs(dice: Dice, leaseMs: number): number {
  return dice.chance(0.3) ? dice.between(1, 50) : Math.round(leaseMs * (0.6 + 0.38 * dice.next()));
}

/** Where many jobs wait, one that has its turn has waited. */
function lateJobs(world: World, dice: Dice): () => number {
  return () => (world.strikes.happens(dice, 'lateJob') ? dice.between(10, 1_500) : 0);
}

/** What the loops of the product say when something goes wrong that they did not foresee. */
function watchedLog(name: string, onUnexpected: MachineOptions['onUnexpected']): Log {
  const log: Log = {
    ...silentLog,
    error(facts, message) {
      const { error } = facts as { readonly error?: string };
      if (error !== undefined) onUnexpected(`${name}: ${message} (${JSON.stringify(facts)})`, error);
    },
    child: () => log,
  };
  return log;
}

/** What the world does on purpose is no surprise: a database or repository that is away, a server that is. */
export function isForeseen(error: unknown): boolean {
  const known = ['database_unavailable', 'repository_unavailable', 'server_unavailable', 'push_refused'] as const;
  if (error instanceof Fault) return known.some(code => isFault(error, code));
  // A repository that was lost under a task that had begun: the task is done again, and whether it gets there is seen at the end.
  const isOfLostDepot = /fatal: \S+ has no commit /.test(String(error));
  return (
    isOfLostDepot ||
    (typeof error === 'string' &&
      /^(Error|Fault): (The database does not answer|.*does not answer|the connection was cut)/.test(error))
  );
}
