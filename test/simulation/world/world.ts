import type { Upstream } from '../../../src/support/repositories/index.ts';
import { becomes, changesOf } from '../oracle/types.ts';
import type { MemoryPostgres } from '../postgres/types.ts';
import { createDice, type Dice } from './dice.ts';
import {
  type Copies,
  fakeBlobs,
  fakeDepot,
  fakeUpstream,
  type KeptBlobs,
  type Outgoing,
  type UserRepository,
} from './git/fakes.ts';
import type { Graph } from './git/graph.ts';
import { createLook, type Look } from './look.ts';
import { createNetwork, type Peer } from './network.ts';
import type { FaultKind, WorldOptions } from './options.ts';
import type { Witness, World } from './parts.ts';
import { createPeople, type People } from './people/people.ts';
import { createStranger } from './people/stranger.ts';
import type { Process } from './process.ts';
import type { Scheduler } from './scheduler.ts';
import { agentOf, providerNames } from './server/models.ts';
import { createServerMachine, isForeseen, type ServerMachine, type Stores } from './server/machine.ts';
import type { ServerVerbs } from './server/verbs.ts';
import { createStrikes, type StrikeCounts } from './strikes.ts';
import type { Trace } from './trace.ts';
import { createWorkerMachine, type WorkerMachine } from './worker/worker.ts';

export interface WorldParts {
  readonly options: WorldOptions;
  readonly scheduler: Scheduler;
  readonly trace: Trace;
  readonly graph: Graph;
  readonly postgres: MemoryPostgres;
  readonly isJobDue: () => boolean;
  readonly witness: Witness;
  readonly onPush: (push: Outgoing) => void;
  /** Stands between the product and the user's repository: of a mutant. */
  readonly upstream?: ((real: Upstream) => Upstream) | undefined;
  /** Something was thrown inside a server that nobody foresaw. */
  readonly onUnexpected: (what: string) => void;
}

/** All that lives in the world of a seed. */
export interface Life {
  readonly look: Look;
  readonly repositories: ReadonlyMap<string, UserRepository>;
  /** To be told of each commit. */
  readonly saw: People['saw'];
  /** From then on nothing goes wrong, whoever is down comes up, and people answer. Undefined until then. */
  readonly calmSince: number | undefined;
  /** What went wrong, and how often. */
  readonly struck: StrikeCounts;
}

const repository = '/users/repository';

export function beginLife(parts: WorldParts): Life {
  const { options, scheduler, trace, graph, postgres, isJobDue } = parts;
  const dice = createDice(options.seed);
  let phase: 'before' | 'faulty' | 'calm' = 'before';
  let calmSince: number | undefined;
  const isFaulty = (): boolean => phase === 'faulty';
  const servers: ServerMachine[] = [];
  const unexpected = (where: string, error: unknown): void => {
    if (!isForeseen(error)) parts.onUnexpected(`${where}: ${error instanceof Error ? error.stack : String(error)}`);
  };
  const strikes = createStrikes({ faults: options.faults, isFaulty });
  const network = createNetwork<ServerVerbs>({
    ...{ scheduler, dice: dice.of('network'), strikes },
    onUnexpected: error => unexpected('an answer', error),
  });
  const proxy = dice.of('proxy');
  const world: World = {
    ...{ options, scheduler, dice, trace, graph, network, isFaulty, strikes, witness: parts.witness },
    ...{ servedBy: new Map(), awayUntil: new Map() },
    serverOf: caller => peerOf(servers, options.hasProxy ? proxy.between(0, 99) : caller, options.hasProxy),
  };
  const look = createLook(postgres);
  const { tenantId, projectId } = settle(look, options, dice.of('project'));
  const users: UserRepository = { head: firstCommit(graph), branches: new Map() };
  const repositories = new Map([[repository, users]]);
  const disks = createDisks({ world, repositories, ...parts });

  for (let number = 0; number < options.servers; number++) {
    const whenDown = () => disks.lose(number);
    const openStores = (process: Process, own: Dice): Stores => disks.open(number, process, own);
    servers.push(
      createServerMachine({ world, number, postgres, isJobDue, tenantId, openStores, whenDown, onUnexpected: unexpected }),
    );
  }
  const workers = machinesOf(world, dice.of('poison'));
  const calm = (): void => {
    phase = 'calm';
    world.awayUntil.clear();
    calmSince = scheduler.now();
    trace.say('world', 'is calm');
  };
  const trouble = (): void => {
    if (phase !== 'before') return;
    phase = 'faulty';
    trace.say('world', 'is faulty');
    haunt(world, servers, workers);
    scheduler.after(options.horizonMs, calm);
  };
  for (const machine of [...servers, ...workers]) machine.start();
  if (!options.beginsCalm) trouble();
  const stranger = createStranger({ world, repository: users });
  const people = createPeople({ world, look, projectId, stranger });
  people.begin();
  return {
    look,
    repositories,
    saw(commit, now) {
      if (changesOf(commit, 'trunks').some(change => becomes(change, 'ready'))) trouble();
      people.saw(commit, now);
      stranger.saw(commit);
    },
    get calmSince() {
      return calmSince;
    },
    struck: strikes.counts,
  };
}

function peerOf(servers: readonly ServerMachine[], wanted: number, isAny: boolean): Peer<ServerVerbs> | undefined {
  const alive = isAny ? servers.filter(({ peer }) => peer !== undefined) : servers;
  return alive.length === 0 ? undefined : alive[wanted % alive.length]?.peer;
}

function machinesOf(world: World, dice: Dice): WorkerMachine[] {
  const { workers, faults } = world.options;
  const isPoison = (ticketId: string): boolean => dice.of(ticketId).chance(faults.poison);
  return Array.from({ length: workers }, (_, number) => {
    const own = dice.of(`worker ${number}`);
    // The first can do everything, or nobody would do it.
    const offered = ['agent:exec', 'checks', 'conflicts'].filter(() => number === 0 || own.chance(0.8));
    return createWorkerMachine({ world, number, capabilities: [...offered, 'isolation:namespaces'], isPoison });
  });
}

/** Once a second each machine may die, or a worker be stopped, while things go wrong. */
function haunt(world: World, servers: readonly ServerMachine[], workers: readonly WorkerMachine[]): void {
  const { scheduler, options, strikes } = world;
  const { faults, settings } = options;
  const dice = world.dice.of('haunting');
  const models = dice.of('models');
  const machine = [...servers.map((each, i) => ({ each, dice: dice.of(`s${i}`) }))];
  const others = workers.map((each, i) => ({ each, dice: dice.of(`w${i}`) }));
  const turn = (): void => {
    if (!world.isFaulty()) return;
    for (const { each, dice: own } of machine) if (own.chance(faults.serverCrash) && each.crash()) strikes.count('serverCrash');
    for (const { each, dice: own } of others) {
      if (own.chance(faults.workerCrash)) {
        if (each.crash()) strikes.count('workerCrash');
      } else if (own.chance(faults.workerPause)) {
        each.pause(own.between(200, 2 * settings.leaseMs));
      }
    }
    if (options.models !== 'none' && strikes.happens(models, 'modelAway'))
      world.awayUntil.set('near', scheduler.now() + models.between(300, 6_000));
    scheduler.after(1_000, turn);
  };
  scheduler.after(1_000, turn);
}

interface DiskParts {
  readonly world: World;
  readonly repositories: ReadonlyMap<string, UserRepository>;
  readonly onPush: (push: Outgoing) => void;
  readonly upstream?: WorldParts['upstream'];
}

interface Disks {
  open(number: number, process: Process, dice: Dice): Stores;
  /** The server is down; its folder of repositories may be gone with it. */
  lose(number: number): void;
}

function createDisks({ world, repositories, onPush, upstream = real => real }: DiskParts): Disks {
  const { options, graph } = world;
  const { faults, sharesDepot } = options;
  const kept: KeptBlobs = new Map();
  const folders = new Map<string, Copies>();
  const dice = world.dice.of('disks');
  const folderOf = (number: number): string => (sharesDepot ? '/depot' : `/depot${number}`);
  return {
    open(number, process, own) {
      const folder = folderOf(number);
      const copies = folders.get(folder) ?? new Map();
      folders.set(folder, copies);
      const happens = (kind: FaultKind): boolean => world.strikes.happens(own, kind);
      const work = (): Promise<void> => process.clock.sleep(happens('slowDisk') ? own.between(50, 2_000) : own.between(0, 3));
      const farAway = (): Promise<void> => process.clock.sleep(world.isFaulty() ? own.around(400) : own.between(0, 3));
      const trouble = { isAway: () => happens('upstreamAway'), losesWord: () => happens('pushWithoutWord') };
      return {
        depot: fakeDepot(graph, { copies, folder, work }),
        blobs: fakeBlobs(kept, { work }),
        upstream: upstream(fakeUpstream(graph, { repositories, copies, faults: trouble, work: farAway, onPush })),
      };
    },
    lose(number) {
      if (!dice.chance(faults.depotLost)) return;
      world.strikes.count('depotLost');
      folders.get(folderOf(number))?.clear();
    },
  };
}

function firstCommit(graph: Graph): string {
  const tree = new Map([
    ['package.json', '{"scripts":{"test":"node --test"}}'],
    ['src/part0.ts', 'base'],
    ['test/all.test.js', 'base'],
  ]);
  return graph.commit({ tree, parents: [graph.root], message: 'base', at: new Date(1_000_000_000_000) });
}

/** A tenant and its project, as they were before anything went wrong. */
function settle(look: Look, options: WorldOptions, dice: Dice): { tenantId: string; projectId: string } {
  const [tenant] = look.rows<{ id: string }>(`insert into tenants (name) values ('simulated') returning id`);
  const tenantId = tenant?.id ?? '';
  const checks = options.hasChecks ? [{ name: 'test', command: ['npm', 'test'] }] : [];
  const agent = options.models === 'none' ? { kind: 'exec', command: ['true'] } : agentOf('near');
  const router = options.models === 'routed' ? JSON.stringify({ routes: [], default: 'near' }) : null;
  if (router !== null) putTemplates(look, tenantId);
  const [project] = look.rows<{ id: string }>(
    `insert into projects (tenant_id, name, repository, agent, checks, test_changes, red_base, collisions, router)
     values ($1, 'p', $2, $3::jsonb, $4::jsonb, $5, $6, $7, $8::jsonb) returning id`,
    [
      ...[tenantId, repository, JSON.stringify(agent), JSON.stringify(checks)],
      ...[options.asksAboutTests ? 'ask' : 'allow', dice.pick(['refuse', 'refuse']), options.collisions, router],
    ],
  );
  const projectId = project?.id ?? '';
  if (options.capMicroUsd !== null)
    look.rows(`insert into budgets (tenant_id, scope, scope_id, cap_microusd) values ($1, 'project', $2, $3::bigint)`, [
      ...[tenantId, projectId, options.capMicroUsd],
    ]);
  return { tenantId, projectId };
}

/** One for each model; that of the far one stands in for that of the near one. */
function putTemplates(look: Look, tenantId: string): void {
  for (const name of providerNames) {
    look.rows('insert into templates (tenant_id, name, version) values ($1, $2, 1)', [tenantId, name]);
    const fallback = name === 'near' ? ['far'] : [];
    look.rows(
      `insert into template_versions (tenant_id, id, name, version, source, lineage, agent, prompt, limits, fallback)
       values ($1, $2 || '@1', $2, 1, '', '{}', $3::jsonb, '', '{}'::jsonb, $4::text[])`,
      [tenantId, name, JSON.stringify(agentOf(name)), fallback],
    );
  }
}
