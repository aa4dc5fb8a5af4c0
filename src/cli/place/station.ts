import { retrying } from '../../client/index.ts';
import type { Settings } from '../../config.ts';
import { isFault } from '../../kernel/fault.ts';
import { createLog } from '../../kernel/log.ts';
import type { WorkerChange } from '../../worker/index.ts';
import { addressed } from '../address.ts';
import type { Context, RemoteOptions, World } from '../world.ts';
import type { Companion } from '../server/launch.ts';
import { isAlive } from '../server/note.ts';
import { prepareWorker } from '../start/worker-beside.ts';
import { findServer } from './find.ts';
import type { Found } from './find.ts';
import { startOwn } from './own.ts';

/** Where a build is driven from: a server that runs, or one in this process; it may become another one on the way. */
export interface Station {
  readonly context: Context;
  /** In whose hands the work is, for people; undefined: in this process's own. */
  readonly host: string | undefined;
  /** Aborted when the process of the server that is used has ended. */
  readonly gone: AbortSignal;
  /** Whether it is watched for that: it is another process of this machine. */
  readonly mayGo: boolean;
  /** Whether `startWork` lets a worker begin on this machine. */
  readonly worksHere: boolean;
  /** Runs that the worker of this process has in hand. */
  readonly runsInHand: number;
  /** Lets a worker of this process begin, where the server has none beside it. Until then nothing is claimed here. */
  startWork(): Promise<void>;
  /** Finds or starts another server, or takes a new token. Throws where none can be had. */
  renew(): Promise<void>;
  /** Hands back what runs here after `graceMs`, and stops what was started. May be called again with less patience. */
  close(graceMs: number): Promise<void>;
}

const renewMsMax = 30_000;

/** So often a server may be lost in one build before something else is wrong. */
export const lossesMax = 20;

/** Takes a step that may be taken twice, at another server where the one that is used goes away. */
export async function atAnyServer<T>(station: Station, signal: AbortSignal, step: (context: Context) => Promise<T>): Promise<T> {
  for (let losses = 0; ; losses += 1) {
    try {
      return await step(station.context);
    } catch (error) {
      if (losses >= lossesMax || !(await isLost(station, signal, error))) throw error;
      await station.renew();
    }
  }
}

/** A server that stops refuses tokens and connections before its process is gone: that is waited for, not long. */
const lastWordsMs = 10_000;

/** Whether an error is the end of the server and not one of the step. Throws the signal's reason when that is aborted. */
export async function isLost(station: Station, signal: AbortSignal, error: unknown): Promise<boolean> {
  signal.throwIfAborted();
  if (station.gone.aborted) return true;
  if (!isFault(error)) return false;
  if (station.mayGo && (error.kind.retry || error.code === 'unauthenticated')) {
    await station.context.clock.sleep(lastWordsMs, either(signal, station.gone));
    signal.throwIfAborted();
    return station.gone.aborted;
  }
  // A token of our own making holds for a day.
  return station.host === undefined && error.code === 'unauthenticated';
}

function either(one: AbortSignal, other: AbortSignal): AbortSignal {
  const aborted = new AbortController();
  for (const signal of [one, other]) signal.addEventListener('abort', () => aborted.abort(), { once: true });
  return aborted.signal;
}

interface Given extends RemoteOptions {
  readonly slots?: number;
  readonly onTrouble: (change: WorkerChange) => void;
  /** What works beside a server that was started here; default: a worker in this process. */
  readonly prepareWorker?: PrepareWorker | undefined;
}

export type PrepareWorker = typeof prepareWorker;

export async function openStation(world: World, options: Given): Promise<Station> {
  const { settings: found } = await addressed(world, options);
  const settings = { ...found, ...(options.slots === undefined ? {} : { SKEP_WORKER_SLOTS: options.slots }) };
  const hands = countRuns(options.onTrouble);
  let place = await settle(world, options, { settings, hands });
  let isWorking = false;

  return {
    get context() {
      return place.context;
    },
    get host() {
      return place.host;
    },
    get gone() {
      return place.gone;
    },
    get mayGo() {
      return place.mayGo;
    },
    get worksHere() {
      return place.worksHere;
    },
    get runsInHand() {
      return hands.count();
    },
    async renew() {
      const renewed = await place.renew();
      if (renewed !== undefined) {
        place = { ...place, context: renewed };
        return;
      }
      await place.close(0);
      // The one that goes may still be stopping the database that the next one needs.
      const trying = { clock: world.clock, random: () => 0, elapsedMsMax: renewMsMax };
      place = await retrying(trying, () => settle(world, options, { settings, hands }));
      if (isWorking) await place.startWork();
    },
    startWork() {
      isWorking = true;
      return place.startWork();
    },
    close: graceMs => place.close(graceMs),
  };
}

interface Place {
  readonly context: Context;
  readonly host: string | undefined;
  readonly gone: AbortSignal;
  readonly mayGo: boolean;
  readonly worksHere: boolean;
  /** The same server with another token; undefined where it is lost. */
  renew(): Promise<Context | undefined>;
  startWork(): Promise<void>;
  close(graceMs: number): Promise<void>;
}

interface Parts {
  readonly settings: Settings;
  readonly hands: Hands;
}

async function settle(world: World, options: Given, parts: Parts): Promise<Place> {
  const found = await findServer(world, options);
  return found === undefined ? ownPlace(world, options, parts) : foundPlace(world, found, parts);
}

async function ownPlace(world: World, options: Given, { settings, hands }: Parts): Promise<Place> {
  // Looked at first: a server whose worker can do nothing helps nobody.
  const prepare = options.prepareWorker ?? prepareWorker;
  const start = await prepare(settings, { clock: world.clock, onChange: hands.onChange });
  const own = await startOwn(world, { settings, json: options.json === true });
  let worker: Companion | undefined;
  return {
    context: await own.context(),
    host: undefined,
    gone: new AbortController().signal,
    mayGo: false,
    worksHere: true,
    renew: () => own.context(),
    async startWork() {
      worker ??= await own.startCompanion(start);
    },
    async close(graceMs) {
      try {
        await worker?.stop(graceMs);
      } finally {
        await own.stop();
      }
    },
  };
}

async function foundPlace(world: World, { context, note }: Found, { settings, hands }: Parts): Promise<Place> {
  const gone = new AbortController();
  const closing = new AbortController();
  let helper: Companion | undefined;
  if (note !== undefined) void watchProcess(note, { clock: world.clock, gone, closing: closing.signal });
  return {
    context,
    host: note === undefined ? context.server : `${context.server} (process ${note.pid})`,
    gone: gone.signal,
    mayGo: note !== undefined,
    worksHere: note !== undefined && !note.worker,
    // The server of another process revokes its token when it stops; a new one, or another server, has left another note.
    renew: async () => undefined,
    async startWork() {
      if (note !== undefined && !note.worker) helper ??= await helpOut(world, context, { settings, hands });
    },
    async close(graceMs) {
      closing.abort();
      await helper?.stop(graceMs);
    },
  };
}

/** A server that has no worker beside it may have none at all: this process brings one. Where it cannot, others may. */
async function helpOut(world: World, { server, token }: Context, { settings, hands }: Parts): Promise<Companion | undefined> {
  try {
    const start = await prepareWorker(settings, { clock: world.clock, onChange: hands.onChange });
    return await start({ url: server, mintToken: async () => token ?? '', log: createLog('error') });
  } catch (error) {
    if (isFault(error)) return undefined;
    throw error;
  }
}

const watchMs = 500;

interface Watch {
  readonly clock: World['clock'];
  readonly gone: AbortController;
  readonly closing: AbortSignal;
}

async function watchProcess(note: NonNullable<Found['note']>, { clock, gone, closing }: Watch): Promise<void> {
  while (!closing.aborted) {
    await clock.sleep(watchMs, closing);
    if (!closing.aborted && !isAlive(note)) {
      gone.abort();
      return;
    }
  }
}

interface Hands {
  count(): number;
  readonly onChange: (change: WorkerChange) => void;
}

const untold: ReadonlySet<WorkerChange['kind']> = new Set(['started', 'server_gone', 'server_back'] as const);

function countRuns(onTrouble: (change: WorkerChange) => void): Hands {
  let count = 0;
  return {
    count: () => count,
    onChange(change) {
      if (change.kind === 'claimed') count += 1;
      else if (change.kind === 'ended') count -= 1;
      // Of a server that is away whoever watches the build is told already.
      else if (!untold.has(change.kind)) onTrouble(change);
    },
  };
}
