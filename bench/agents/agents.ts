import { readdirSync, readFileSync } from 'node:fs';
import { project } from '../../contract/projects.ts';
import { folderInside } from '../../src/providers/agents/install/packages.ts';
import type { Agent } from '../../src/worker/agent.ts';
import { follow, installedAgents, installs, startHive, startModel } from '../agent-start/hive.ts';
import type { Model } from '../agent-start/hive.ts';
import { now } from '../agent-start/moments.ts';
import type { Moments } from '../agent-start/moments.ts';
import { type Bench, type Figure, figure, type Stage } from '../harness/bench.ts';
import { temporaryHome } from '../harness/place.ts';
import { build, memoryMb } from '../harness/processes.ts';
import { makeRepository } from '../harness/repository.ts';
import { byHand } from './by-hand.ts';

const rounds = 3;
const lookMs = 200;

const agents = [
  { kind: 'claude', model: 'anthropic/claude-sonnet-4-5' },
  { kind: 'codex', model: 'bench/scripted' },
  { kind: 'gemini', model: 'gemini/gemini-2.5-pro' },
  { kind: 'opencode', model: 'bench/scripted' },
  { kind: 'pi', model: 'bench/scripted' },
  { kind: 'qwen', model: 'bench/scripted' },
] as const;
type Settings = (typeof agents)[number];

/** One turn, from where it can be seen. */
interface Turn {
  readonly startMs: number;
  readonly wholeMs: number;
  readonly memoryMb: number;
}

export const agentsBench: Bench = {
  name: 'agents',
  about:
    'Each agent on a small ticket, in Skep and by hand on the machine, in turns: start, memory, and what Skep adds; a scripted model.',
  async run(stage) {
    build();
    const model = await startModel(stage);
    const { client, worker } = await startHive(
      stage,
      model,
      agents.map(({ kind }) => kind),
    );
    await worker.start();
    const figures: Figure[] = [];
    for (const settings of agents) {
      const body = { name: settings.kind, repository: makeRepository(stage), agent: settings };
      const { id } = await client.request('POST', '/api/projects', { body, schema: project });
      const ours = (): Promise<Turn> => inSkep(async () => follow(client, id, model));
      const theirs = (): Promise<Turn> => onMachine(stage, settings, model);
      // The first bring the agent into the file cache.
      await ours();
      await theirs();
      const turns: [Turn, Turn][] = [];
      for (let round = 0; round < rounds; round++) {
        turns.push([await ours(), await theirs()]);
        stage.say(`${settings.kind}: round ${round + 1} of ${rounds}`);
      }
      figures.push(...figuresOf(settings.kind, turns));
    }
    return figures;
  },
};

function figuresOf(kind: string, turns: readonly (readonly [Turn, Turn])[]): Figure[] {
  const of = (name: string, unit: string, value: (ours: Turn, theirs: Turn) => number): Figure =>
    figure(`${kind}: ${name}`, unit, { values: turns.map(([ours, theirs]) => value(ours, theirs)) });
  return [
    of('by hand, start → first call of a model', 'ms', (_, theirs) => theirs.startMs),
    of('in Skep, agent started → first call of a model', 'ms', ours => ours.startMs),
    of('by hand, the whole turn', 'ms', (_, theirs) => theirs.wholeMs),
    of('in Skep, lease → work handed in', 'ms', ours => ours.wholeMs),
    of('what Skep adds to a turn', 'ms', (ours, theirs) => ours.wholeMs - theirs.wholeMs),
    of('by hand, memory at most', 'MB', (_, theirs) => theirs.memoryMb),
    of('in Skep, memory at most, with its parent', 'MB', ours => ours.memoryMb),
  ];
}

async function inSkep(work: () => Promise<Moments>): Promise<Turn> {
  const memory = watchMemory(hosts);
  try {
    const moments = await work();
    const between = (from: string, to: string): number => (moments.get(to) ?? Number.NaN) - (moments.get(from) ?? Number.NaN);
    return {
      ...{ startMs: between('agent started', 'model called'), wholeMs: between('leased', 'submitted') },
      memoryMb: memory.most(),
    };
  } finally {
    memory.end();
  }
}

async function onMachine(stage: Stage, settings: Settings, model: Model): Promise<Turn> {
  const { kind } = settings;
  const agent = installedAgents.find((each): each is Agent => each.kind === kind);
  const installed = installs.find(kind);
  if (agent === undefined || installed === undefined) throw new Error(`${kind} is not installed`);
  const moments = model.begin();
  const pids: number[] = [];
  let startedAt = 0;
  const memory = watchMemory(() => pids);
  try {
    const wholeMs = await byHand(agent, settings, {
      ...{
        folder: temporaryHome(stage),
        repository: makeRepository(stage),
        gatewayUrl: `${model.url}/gateway`,
        installed,
        folderInside: folderInside(kind),
      },
      onStart(child) {
        startedAt ||= now();
        pids.push(child.pid ?? 0);
        // Where the bench is broken off.
        stage.atEnd(async () => void child.kill('SIGKILL'));
      },
    });
    return { startMs: (moments.get('model called') ?? Number.NaN) - startedAt, wholeMs, memoryMb: memory.most() };
  } finally {
    memory.end();
  }
}

/** The parents of agents in sandboxes. */
function hosts(): readonly number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && commandLine(name).includes('/host.mjs\0'))
    .map(Number);
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function watchMemory(pids: () => readonly number[]): { most(): number; end(): void } {
  let most = 0;
  const timer = setInterval(() => (most = Math.max(most, memoryMb(pids()))), lookMs);
  return { most: () => most, end: () => clearInterval(timer) };
}
