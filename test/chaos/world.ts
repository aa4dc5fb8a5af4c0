import { systemClock } from '../../src/kernel/clock.ts';
import type { Failpoint } from '../../src/kernel/failpoint.ts';
import { databaseOf, type Farm, untiring } from '../harness/farm.ts';
import { startModelFarm } from '../harness/model-farm.ts';
import { join } from 'node:path';
import { processesWith, type SkepProcess } from '../harness/process.ts';
import type { Answer } from '../harness/server.ts';
import { makeRepository } from '../harness/worker.ts';
import type { Made, Scene } from './oracle.ts';
import { type Kind, staffing } from './projects.ts';

/** What `underLoad` and the like need: tickets can be asked for, and looked at. */
export function busyWorld(world: World): Busy {
  return {
    database: world.scene().database,
    scene: world.scene,
    async pour(count) {
      for (let index = 0; index < count; index++) await world.ticket(world.project('plain'));
    },
    said: () => lastWords([world.farm().server]),
  };
}

/** Where tickets can be asked for, and looked at. */
export interface Busy {
  readonly database: string;
  scene(): Scene;
  /** So many tickets, each asked for until it is there. */
  pour(count: number): Promise<void>;
  /** The last words of its servers, for whoever reads a verdict. */
  said(): string;
}

const lastWordsMax = 20_000;

export function lastWords(processes: readonly SkepProcess[]): string {
  return processes.map(({ stderr }) => stderr().slice(-lastWordsMax)).join('\n');
}

/** One server with projects of each kind, which dies and is started again, and the test's own book of what it was asked. */
export interface World {
  farm(): Farm;
  /** Kills the server where it lives, and starts it again with this point armed, or with none. False where it died of it at once. */
  restart(point?: Failpoint): Promise<boolean>;
  worker(name: string, point?: Failpoint, slots?: number): SkepProcess;
  /** Asks until there is an answer that is not about the server's own trouble. */
  ask(method: string, path: string, body?: unknown): Promise<Answer>;
  /** Processes of agents that sleep. */
  sleepers(): number[];
  project(kind: Kind): string;
  /** A project of its own. */
  newProject(kind: Kind): Promise<string>;
  ticket(project: string): Promise<string>;
  /** What was made by other ways than `ticket`. */
  note(made: Made): void;
  repositoryOf(project: string): string | undefined;
  scene(): Scene;
}

/** Short, so that a silence is noticed within a test's patience; not so short that a busy machine is taken for a dead worker. */
export const leaseMs = 4_000;
export const quick = {
  ...{ SKEP_LEASE_MS: `${leaseMs}`, SKEP_HEARTBEAT_MS: `${leaseMs / 4}`, SKEP_RETRY_MS: '0' },
  ...untiring,
} as const;
let worlds = 0;

export async function startWorld(
  kinds: readonly Kind[],
  env: Readonly<Record<string, string>> = {},
  home?: string,
): Promise<World> {
  const { farm: first, provider, till } = await startModelFarm({ ...quick, ...env }, home);
  provider.answer(request => till.answer(request));
  let farm = first;
  let count = 0;
  // Found among all processes of the machine.
  const nap = `60.${process.pid}${++worlds}`;
  const made: Made[] = [];
  const homes = new Set<string>();
  const projects = new Map<Kind, string>();
  const repositories = new Map<string, string>();
  const database = await databaseOf(farm);

  const ask: World['ask'] = (method, path, body) => patiently(() => farm.call(method, path, body));

  /** It was made where only the answer was lost, and is refused when it is asked for again. */
  async function projectNamed(name: string): Promise<string | undefined> {
    const { body } = await ask('GET', '/api/projects');
    return (body['projects'] as { id: string; name: string }[]).find(project => project.name === name)?.id;
  }

  async function newProject(kind: Kind): Promise<string> {
    const { hasRepository, ...staffed } = staffing(kind, nap);
    const repository = hasRepository ? makeRepository({ 'README.md': '# Stamps\n' }) : undefined;
    const body = {
      ...{ ...staffed, name: `${kind} ${++count} ${process.pid}` },
      ...(repository === undefined ? {} : { repository }),
    };
    const answer = await ask('POST', '/api/projects', body);
    const id = answer.status === 201 ? String(answer.body['id']) : await projectNamed(body.name);
    if (id === undefined) throw new Error(`the project was refused: ${JSON.stringify(answer.body)}`);
    if (repository !== undefined) repositories.set(id, repository);
    return id;
  }

  // Far away: it counts what is spent, so that the oracle can see whether it counts right.
  await ask('PUT', '/api/budgets', { scope: 'tenant', scope_id: '', cap_tokens: 1_000_000_000 });
  for (const kind of kinds) projects.set(kind, await newProject(kind));
  return {
    farm: () => farm,
    async restart(point) {
      await farm.server.kill('SIGKILL');
      const spec = point === undefined ? '' : `${point}:kill${later.has(point) ? ':3' : ''}`;
      try {
        farm = await farm.restart({ SKEP_FAILPOINTS: spec });
        return true;
      } catch (error) {
        if (point !== undefined && String(error).includes(`failpoint ${point} kill`)) return false;
        throw error;
      }
    },
    worker(name, point, slots = 1) {
      homes.add(join(farm.home, 'workers', name));
      return farm.worker(name, { slots, env: point === undefined ? {} : { SKEP_FAILPOINTS: `${point}:kill` } });
    },
    ask,
    sleepers: () => processesWith(`sleep ${nap}`),
    project(kind) {
      const id = projects.get(kind);
      if (id === undefined) throw new Error(`this world has no project of the kind ${kind}`);
      return id;
    },
    newProject,
    async ticket(project) {
      const answer = await ask('POST', '/api/tickets', { project_id: project, title: `part ${++count}` });
      if (answer.status !== 201) throw new Error(`the ticket was refused: ${JSON.stringify(answer.body)}`);
      const id = String(answer.body['id']);
      made.push({ id, repository: repositories.get(project) });
      return id;
    },
    note: each => void made.push(each),
    repositoryOf: project => repositories.get(project),
    scene: () => ({ database, made, homes: [farm.home], workerHomes: [...homes] }),
  };
}

/** A start comes by these itself, once or twice before it serves anybody. */
const later: ReadonlySet<Failpoint> = new Set(['event-written', 'event-committed'] as const);

/** For what comes at once on a machine that has nothing else to do. */
export const patienceMs = 120_000;

/** Through the death of whom it asks, and its absence. */
export async function patiently(call: () => Promise<Answer>): Promise<Answer> {
  const end = systemClock.mono() + patienceMs;
  for (;;) {
    const answer = await call().catch((error: unknown) => String(error));
    if (typeof answer !== 'string' && answer.status !== 503 && answer.status !== 502) return answer;
    if (systemClock.mono() > end)
      throw new Error(`no answer in ${patienceMs} ms: ${typeof answer === 'string' ? answer : JSON.stringify(answer.body)}`);
    await systemClock.sleep(50);
  }
}
