import { setMaxListeners } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Claimed } from '../../contract/runs.ts';
import { isolationsOffered } from '../../contract/fleet/sandboxes.ts';
import type { SandboxWorth } from '../../contract/fleet/sandboxes.ts';
import type { Client } from '../client/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { failpoint } from '../kernel/failpoint.ts';
import { Fault } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';
import type { Agent } from './agent.ts';
import { startBeat } from './beat.ts';
import type { Beat, BeatOptions } from './beat.ts';
import { createClaims } from './claims.ts';
import type { Claims, Trouble } from './claims.ts';
import { workerProtocol } from './client.ts';
import type { ClaimRequest, Protocol } from './client.ts';
import { openControl } from './control/server.ts';
import type { Control } from './control/server.ts';
import { createCheckOuts } from './dependencies/checkouts.ts';
import { createDependencies, usualDependencies } from './dependencies/index.ts';
import type { DependencyLimits } from './dependencies/index.ts';
import type { NetworkTools } from './egress/index.ts';
import { createOrphans } from './orphans/index.ts';
import type { Orphans } from './orphans/index.ts';
import { createRepositories } from './repository/index.ts';
import { executeRun } from './run/index.ts';
import type { RunEnd, RunTools } from './run/index.ts';
import { limitsOf } from './sandbox.ts';
import type { KeptSnapshot, Lack, SandboxProbe, SandboxProvider } from './sandbox.ts';
import { createKills } from './sandboxes/kills.ts';
import { createSandboxReports } from './sandboxes/report.ts';
import { createWarmth } from './sandboxes/warmth.ts';

export interface WorkerOptions {
  readonly client: Client;
  /** Unique among the workers of a server. */
  readonly name: string;
  /** How many runs at once. */
  readonly slots: number;
  readonly sandboxes: SandboxProvider;
  readonly agents: readonly Agent[];
  /** For copies of repositories and the files of runs; workers of one machine may share it. */
  readonly folder: string;
  /** Without it there are no credentials for sandboxes to be used. */
  readonly network?: NetworkTools | undefined;
  /** How much is kept of what setup commands leave, and how long they may take; without it as settings have it at first. */
  readonly dependencies?: DependencyLimits | undefined;
  /** How many sandboxes wait for runs at most, while slots are free; 0 or nothing: none. */
  readonly warm?: number | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Chance, 0 ≤ x < 1. */
  readonly random: () => number;
  /** What it offers beside its agents. */
  readonly capabilities?: readonly string[];
  /** Of Skep, for who looks at the fleet. */
  readonly version?: string;
  readonly onChange?: (change: WorkerChange) => void;
}

export type WorkerChange =
  /** It can work: what its sandboxes are worth on this machine, per limit. */
  | { readonly kind: 'started'; readonly sandbox: Readonly<Record<string, string>>; readonly lacks: readonly Lack[] }
  | { readonly kind: 'claimed'; readonly claimed: Claimed }
  | { readonly kind: 'ended'; readonly claimed: Claimed; readonly end: RunEnd }
  | Trouble;

export interface Worker {
  /** Throws Fault `sandbox_unavailable` where no sandbox can be made: runs are never executed without. */
  start(): Promise<void>;
  /**
   * Claims nothing more and waits for what runs, at most `graceMs`; what still runs then is ended and handed back. May be
   * called again with less patience. When it resolves, nothing of a run is left.
   */
  stop(options: { readonly graceMs: number }): Promise<void>;
  /** Resolves when the worker has stopped; rejects with the Fault that ended it, such as `unauthenticated`. */
  readonly ended: Promise<void>;
}

/** Runs that are no tickets and need no agent of a kind, or one beside it. */
const besideTickets = ['checks', 'conflicts', 'plan'];

const claimWaitMs = 20_000;
const listenersARunMax = 20;
/** Longest wait that a timer can hold. */
const longestSleepMs = 2_147_483_647;

export function createWorker(options: WorkerOptions): Worker {
  const { clock } = options;
  let { slots } = options;
  const draining = new AbortController();
  const aborting = new AbortController();
  // Everything that a run waits for listens: as many as there are slots, a few times over.
  setMaxListeners(slots * listenersARunMax, aborting.signal);
  const stopped = new AbortController();
  const running = new Set<Promise<void>>();
  let begin = (): void => {};
  const begun = new Promise<void>(resolve => {
    begin = resolve;
  });
  let tools: RunTools | undefined;
  let beat: Beat | undefined;
  let control: Control | undefined;
  const orphans = createOrphans(options);
  const kills = createKills(options.sandboxes, options.log);
  const warmth = createWarmth(options);
  const ended = begun.then(work).finally(() => stopped.abort());
  // Whoever does not look at `ended` must not be ended by it.
  ended.catch(() => {});

  async function work(): Promise<void> {
    if (tools === undefined) return;
    const protocol = beat?.gate(tools.protocol) ?? tools.protocol;
    const claims = claimsOf(options, { ...tools, protocol }, draining.signal);
    try {
      while (!draining.signal.aborted) {
        if (running.size >= slots) await Promise.race(running);
        else await next(claims, tools);
      }
    } finally {
      await Promise.all(running);
      await warmth.end();
      await forget(tools);
      await orphans.stop();
      await beat?.stop();
      await control?.close();
    }
  }

  async function next(claims: Claims, tools: RunTools): Promise<void> {
    const claimed = await claims.next();
    if (claimed === undefined) return;
    const run = execute(claimed, { tools, options, orphans, stop: aborting.signal }).then(end => {
      running.delete(run);
      claims.learn(end);
      if (!draining.signal.aborted) warmth.free(slots - running.size);
    });
    running.add(run);
    warmth.free(slots - running.size, limitsOf(claimed.limits));
  }

  return {
    ended,
    async start() {
      const prepared = await prepare(options);
      const opened = await openControl(options);
      // Told to stop meanwhile: it has ended, and nobody would stop what begins now.
      if (draining.signal.aborted) return opened.close();
      control = opened;
      tools = { ...prepared, killedBy: kills.by };
      slots = runsAtOnce(prepared.worth, slots);
      orphans.start();
      beat = beatOf({ ...options, slots }, prepared, { kills, draining: draining.signal });
      begin();
    },
    async stop({ graceMs }) {
      draining.abort();
      begin();
      void clock.sleep(Math.min(graceMs, longestSleepMs), stopped.signal).then(() => aborting.abort());
      await ended.catch(() => {});
    },
  };
}

/**
 * Runs one ticket and no other. Throws Fault `wrong_state` where no run of it waits, `sandbox_unavailable`, or what the
 * server says.
 */
export async function runOnce(
  options: Omit<WorkerOptions, 'slots'>,
  { ticketId, stop, onOutput }: { ticketId: string; stop: AbortSignal; onOutput?: (chunk: Buffer) => void },
): Promise<RunEnd> {
  const tools = { ...(await prepare(options)), onOutput };
  const orphans = createOrphans(options);
  const request = { worker: options.name, capabilities: await capabilitiesOf(tools), waitMs: 0, ticketId };
  const claimed = await tools.protocol.claim(request, stop);
  if (claimed !== undefined) {
    failpoint('claimed');
    orphans.start();
    try {
      return await execute(claimed, { tools, options, orphans, stop });
    } finally {
      await forget(tools);
      await orphans.stop();
    }
  }
  throw new Fault('wrong_state', {
    message: `${ticketId} has no run that waits for a worker`,
    hint: `'skep ticket show ${ticketId}' says what it waits for; 'skep ticket retry ${ticketId}' makes a new run of a failed one`,
  });
}

interface Prepared extends RunTools, Offering {
  /** What its sandboxes are worth, in a few words a line. */
  readonly sandboxFacts: Readonly<Record<string, string>>;
}

function beatOf(options: WorkerOptions, prepared: Prepared, given: Pick<BeatOptions, 'kills' | 'draining'>): Beat {
  const { sandboxFacts: sandbox, worth } = prepared;
  const capabilities = () => offersOf(prepared);
  return startBeat({ ...options, ...given, sandbox, worth, capabilities, reports: createSandboxReports(options) });
}

async function prepare(options: Omit<WorkerOptions, 'slots'>): Promise<Prepared> {
  const { sandboxes, folder, client, clock, log, random } = options;
  const probe = await sandboxes.probe();
  if (!probe.ok)
    throw new Fault('sandbox_unavailable', { message: `No sandbox can be made here: ${probe.why}`, hint: probe.hint });
  const sandboxFacts = factsOf(probe);
  options.onChange?.({ kind: 'started', sandbox: sandboxFacts, lacks: probe.lacks });
  const repositories = await createRepositories({ folder: join(folder, 'repositories'), client, clock, random });
  const runFolder = join(folder, 'runs');
  await mkdir(runFolder, { recursive: true, mode: 0o700 });
  const { worth } = probe;
  const found = await keptIn(options);
  const dependencies = createDependencies({ ...(options.dependencies ?? usualDependencies), clock, log, found });
  const protocol = workerProtocol(client);
  const kept = { dependencies, checkOuts: createCheckOuts(options) };
  return { ...options, protocol, repositories, ...kept, folder: runFolder, worth, sandboxFacts };
}

/** What can't be had is made anew. */
async function keptIn({
  sandboxes,
  log,
}: Pick<WorkerOptions, 'sandboxes' | 'log'>): Promise<readonly KeptSnapshot[] | undefined> {
  return await sandboxes.kept?.().catch((error: unknown) => {
    log.warn({ error: String(error) }, 'the dependencies that earlier workers have kept could not be looked for');
    return [];
  });
}

/** What was kept for runs to begin with. */
async function forget({ dependencies, checkOuts }: RunTools): Promise<void> {
  await Promise.all([dependencies.close(), checkOuts.close()]);
}

/** Agents find the gateway at a port of their network: where that is the machine's own, two of them would meet there. */
function runsAtOnce({ network }: SandboxWorth, slots: number): number {
  return network === 'none' ? 1 : slots;
}

/** In a few words a line, for people. */
function factsOf({ worth, facts }: Extract<SandboxProbe, { ok: true }>): Readonly<Record<string, string>> {
  const { kind, isolation, limits, network } = worth;
  return { provider: kind, isolation, ...facts, ...limits, network };
}

function claimsOf(options: WorkerOptions, given: Offering & { protocol: Protocol }, signal: AbortSignal): Claims {
  const { protocol } = given;
  const request = async (): Promise<ClaimRequest> => ({
    worker: options.name,
    capabilities: await offersOf(given),
    waitMs: claimWaitMs,
  });
  return createClaims({ ...options, protocol, request, signal, onTrouble: trouble => options.onChange?.(trouble) });
}

interface Execution {
  readonly tools: RunTools;
  readonly options: Pick<WorkerOptions, 'onChange'>;
  readonly orphans: Orphans;
  readonly stop: AbortSignal;
}

async function execute(claimed: Claimed, { tools, options, orphans, stop }: Execution): Promise<RunEnd> {
  options.onChange?.({ kind: 'claimed', claimed });
  const end = await orphans.noted(claimed, onLost => executeRun(claimed, { ...tools, onLost }, stop));
  options.onChange?.({ kind: 'ended', claimed, end });
  return end;
}

/** What a worker offers follows from this. */
interface Offering extends Pick<RunTools, 'agents' | 'worth'>, Pick<WorkerOptions, 'capabilities'> {}

async function offersOf(offering: Offering): Promise<readonly string[]> {
  return [...(await capabilitiesOf(offering)), ...besideTickets];
}

/** As it is now: an agent that is installed while the worker runs is offered with the next claim. */
async function capabilitiesOf({ agents, worth, capabilities = [] }: Offering): Promise<readonly string[]> {
  const offered = await Promise.all(
    agents.map(async agent => ((await agent.isInstalled?.()) === false ? [] : [`agent:${agent.kind}`])),
  );
  return [...offered.flat(), ...isolationsOffered(worth.isolation), ...capabilities];
}
