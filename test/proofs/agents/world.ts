import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'vitest';
import type { Agent, Check } from '../../../contract/projects.ts';
import type { WireRun } from '../../../contract/runs.ts';
import type { KeptTranscriptEvent } from '../../../contract/talk/transcript.ts';
import type { WireTicket } from '../../../contract/tickets.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { installAgent } from '../../../src/providers/agents/install/install.ts';
import { allEvents, startFarm } from '../../harness/farm.ts';
import type { Farm } from '../../harness/farm.ts';
import { buildSkep, endAll, tempFolder, until } from '../../harness/process.ts';
import type { SkepProcess } from '../../harness/process.ts';
import { makeRepository, script as shellScript } from '../../harness/worker.ts';
import { cardOf } from '../../samples/cards.ts';
import { runsOf, startStory, ticketsOf, trunkOf } from '../../scenarios/build/story.ts';
import type { Story } from '../../scenarios/build/story.ts';
import { kinds } from '../seen.ts';
import type { Kind } from '../seen.ts';
import { watchSandboxes, wordsOf } from '../silence.ts';
import { startPlayers } from './players.ts';
import type { Played, Script } from './players.ts';

export const agentsFolder = process.env['SKEP_AGENTS'] ?? join(import.meta.dirname, '../../../.cache/agents');

/** Under which provider each finds the wire that it speaks. */
const models: Readonly<Record<Kind, string>> = {
  claude: 'anthropic/claude-sonnet-4-5',
  codex: 'openai/gpt-5',
  gemini: 'gemini/gemini-2.5-pro',
  opencode: 'local/m',
  pi: 'local/m',
  qwen: 'local/m',
};
/** A real server with its gateway, real workers, real agents; the model alone is a scripted one. */
export interface World {
  readonly farm: Farm;
  /** A worker of the same machine, whatever its name: they share a folder. */
  worker(name: string, slots?: number, env?: Readonly<Record<string, string>>): SkepProcess;
  begin(kind: Kind, script: Script, more?: More): Promise<Told>;
  /** Whom programs of sandboxes have tried to reach since this was asked last, by the agent in them; nobody is an empty list. */
  others(): Promise<Readonly<Partial<Record<Kind, readonly string[]>>>>;
  close(): Promise<void>;
}

interface More {
  readonly files?: Readonly<Record<string, string>>;
  readonly checks?: readonly Check[];
  readonly timeoutMs?: number;
  /** Instead of that of the kind. */
  readonly agent?: Agent;
}

/** One ticket of one agent. */
export interface Told {
  readonly kind: Kind;
  readonly story: Story;
  readonly played: Played;
}

/** What is there may be checked; an answer that is there must be right. */
const files = {
  'README.md': 'hello\n',
  'check.sh': shellScript('test ! -e answer.txt || test "$(cat answer.txt)" = 42 || { echo the answer is wrong; exit 1; }'),
};
export const checks = [{ name: 'answer', command: ['./check.sh'] }];

/** With a rule the proxy is there, and tells whom it refused. */
const network = [{ host: 'allowed.example' }];
const keys = {
  ANTHROPIC_KEY_OF_PROOF: 'sk-a',
  OPENAI_KEY_OF_PROOF: 'sk-o',
  GEMINI_KEY_OF_PROOF: 'sk-g',
  LOCAL_KEY_OF_PROOF: 'sk-l',
};

export async function openWorld(env: Readonly<Record<string, string>> = {}): Promise<World> {
  buildSkep();
  for (const kind of kinds) await installAgent(kind, { folder: agentsFolder, clock: systemClock, onStep: () => {} });
  const players = await startPlayers();
  const silence = watchSandboxes();
  const farm = await startFarm({ SKEP_MODELS: modelsFile(players.url), ...keys, SKEP_STORM_FAILURES: '100000', ...env });
  const home = tempFolder();
  let heardEvents = 0;
  let stories = 0;

  return {
    farm,
    worker(name, slots = 1, more = {}) {
      const asking = pathToFileURL(join(import.meta.dirname, '../../fixtures/asking-names.mjs')).href;
      const own = { SKEP_HOME: home, SKEP_AGENTS: agentsFolder, SKEP_RUN_PROCESSES: '512', NODE_OPTIONS: `--import=${asking}` };
      const worker = farm.worker(name, { slots, env: { ...own, ...more } });
      silence.add(worker.pid);
      return worker;
    },
    async begin(kind, script, { files: given = files, checks: own = [], timeoutMs, agent: other } = {}) {
      stories += 1;
      const model = `${models[kind]}-s${stories}`;
      const played = players.play(model.replace(/^\w+\//, ''), script);
      const agent = { kind, model, ...(timeoutMs === undefined ? {} : { timeout_ms: timeoutMs }) };
      const task = { repository: makeRepository(given), checks: own, network, card: cardOf(1, 'loose') };
      return { kind, played, story: await startStory(farm, { ...task, agent: other ?? agent }) };
    },
    async others() {
      const events = (await allEvents(farm)).filter(({ payload }) => payload['report'] === 'network.refused');
      const refused = events.slice(heardEvents).map(({ payload }) => JSON.stringify(payload));
      heardEvents = events.length;
      expect(refused).toEqual([]);
      const heard = silence.heard();
      // Checks and setups are watched as well.
      expect(wordsOf(heard.filter(({ kind }) => kind === undefined))).toEqual([]);
      return Object.fromEntries(
        kinds.flatMap(kind => {
          const own = heard.filter(each => each.kind === kind);
          return own.length === 0 ? [] : [[kind, wordsOf(own)]];
        }),
      );
    },
    async close() {
      silence.close();
      await endAll();
      await players.close();
    },
  };
}

function modelsFile(url: string): string {
  const file = join(tempFolder(), 'models.json');
  const own = (kind: string, key_env: string, version = 'v1') => ({ kind, base_url: `${url}/${version}`, key_env });
  const providers = {
    anthropic: own('anthropic', 'ANTHROPIC_KEY_OF_PROOF'),
    openai: own('openai', 'OPENAI_KEY_OF_PROOF'),
    gemini: own('gemini', 'GEMINI_KEY_OF_PROOF', 'v1beta'),
    local: own('openai-compatible', 'LOCAL_KEY_OF_PROOF'),
  };
  writeFileSync(file, JSON.stringify({ providers }));
  return file;
}

/** The one ticket of a story. */
export async function ticketOf({ farm }: World, { story }: Told): Promise<WireTicket> {
  const [ticket] = await ticketsOf(farm, story);
  if (ticket === undefined) throw new Error('the story has no ticket yet');
  return ticket;
}

/** Its attempts, the first one first. */
export async function attemptsOf(world: World, told: Told): Promise<WireRun[]> {
  const { id } = await ticketOf(world, told);
  const runs = await runsOf(world.farm, `&ticket_id=${id}`);
  return runs.filter(run => run.subject_type === 'ticket').toSorted((a, b) => a.attempt - b.attempt);
}

const over: ReadonlySet<string> = new Set(['submitted', 'accepted', 'returned', 'failed', 'lost', 'parked', 'cancelled']);
/** Those that wait for a slot wait for others' time to be over. */
const patienceMs = 850_000;

/** The attempt of this number, once it is over. */
export function attemptOver(world: World, told: Told, attempt: number): Promise<WireRun> {
  return until(
    `attempt ${attempt} of ${told.kind} to be over`,
    async () => {
      await systemClock.sleep(200);
      return (await attemptsOf(world, told)).find(run => run.attempt === attempt && over.has(run.state));
    },
    patienceMs,
  );
}

/** Waits until the ticket stands so. */
export function ticketIs(world: World, told: Told, status: WireTicket['status']): Promise<WireTicket> {
  return until(
    `the ticket of ${told.kind} to be ${status}`,
    async () => {
      await systemClock.sleep(200);
      const ticket = await ticketOf(world, told);
      return ticket.status === status ? ticket : undefined;
    },
    patienceMs,
  );
}

/** Nothing of it has reached the trunk. */
export async function expectNothingMerged({ farm }: World, { story }: Told): Promise<void> {
  const trunk = await trunkOf(farm, story);
  expect([trunk?.head_sha, trunk?.merge_count]).toEqual([trunk?.base_sha, 0]);
}

export async function logOf({ farm }: World, run: WireRun): Promise<string> {
  return String((await farm.call('GET', `/api/runs/${run.id}/log`)).body['text']);
}

export async function transcriptOf({ farm }: World, run: WireRun): Promise<readonly KeptTranscriptEvent[]> {
  return (await farm.call('GET', `/api/runs/${run.id}/transcript?limit=500`)).body['events'] as KeptTranscriptEvent[];
}

/**
 * Whether the model is shown its own call of this command, as in a conversation that is gone on with. The words alone also stand in what
 * the next attempt is told of an agent that broke off: the last that it printed.
 */
export function hasCalled(asked: string, command: string): boolean {
  // A body of JSON, in which some wires write what a call was given as a text of JSON.
  return asked.replaceAll('\\', '').replaceAll('": "', '":"').includes(`":"${command}`);
}

/** All kinds at once, each with its own story; says of which it was not so, once all are told. */
export async function each<T>(tell: (kind: Kind) => Promise<T>): Promise<readonly T[]> {
  const told = await Promise.allSettled(kinds.map(tell));
  const wrong = told.flatMap((end, at) => (end.status === 'rejected' ? [`${kinds[at]}: ${String(end.reason)}`] : []));
  expect(wrong).toEqual([]);
  return told.flatMap(end => (end.status === 'fulfilled' ? [end.value] : []));
}
