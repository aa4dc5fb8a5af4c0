import { randomInt } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { keyNamed, secretsOf, type Settings } from './config.ts';
import { othersAreConnected, resolveDatabase } from './db/connect.ts';
import { type Chunks, openChunks } from './db/chunks.ts';
import { type Database, openDatabase } from './db/database.ts';
import { lastPosition } from './db/events.sql.ts';
import { createJobs } from './db/jobs/index.ts';
import { createListener } from './db/listen.ts';
import { migrate } from './db/migrate.ts';
import { createSequencer } from './db/sequencer.ts';
import { flow, nets, tasks } from './flow.ts';
import { createGateway, type Gateway, type GatewayParts, type ModelSettings, modelTargets, readModels } from './gateway/index.ts';
import { createApp } from './http/app.ts';
import { listen } from './http/listen.ts';
import { type Clock, systemClock } from './kernel/clock.ts';
import { armFailpoints } from './kernel/failpoint.ts';
import { Fault } from './kernel/fault.ts';
import { createLoop, type Lifecycle } from './kernel/loop.ts';
import type { Log } from './kernel/log.ts';
import { createDatabaseBlobs } from './providers/blobs/database.ts';
import { createFolderBlobs } from './providers/blobs/folder.ts';
import { removeAbandoned } from './providers/blobs/incoming.ts';
import { createGitUpstream } from './providers/forges/git/index.ts';
import { createHttpUpstream } from './providers/models/http/index.ts';
import { createRecordedUpstream, createRecordingFolder, loadRecording, recording } from './providers/models/recorded/index.ts';
import { createDepot, type Depot, tidyDepot, type Upstream } from './support/repositories/index.ts';
import {
  askAboutBudget,
  type BlobStore,
  type ClaimDesk,
  createAgeing,
  createClaimDesk,
  createNets,
  createStormWatch,
  createSweep,
  runsAmong,
  type RunSettings,
} from './stages/runs/index.ts';
import { createWorkerSweep } from './support/fleet/index.ts';
import { createLedger } from './support/budgets/index.ts';
import { bootstrapAccess, createToken, revokeToken } from './support/access/index.ts';

/** For who removes what a server that was killed has left. */
export { clearEmbedded } from './db/embedded/index.ts';

export interface RunningServer {
  readonly url: string;
  /** The first admin token; only the start that made it knows it. */
  readonly adminToken: string | undefined;
  readonly database: { readonly kind: 'embedded' | 'server'; readonly version: string };
  /** A token for a worker in this process, for a day: a start makes its own. */
  mintWorkerToken(): Promise<string>;
  /** A token with which the commands of this machine find this server, for a day too. */
  mintLocalToken(): Promise<string>;
  /** Is not ready from here on and hands out no work, but answers all the same: before what works beside it is stopped. */
  drain(): void;
  /** Lets what is being asked be answered, for 10 s; then answers no request, ends the loops, and stops the embedded database unless another server uses it. */
  stop(): Promise<void>;
}

/** As other servers and people see it. */
type Standing = 'active' | 'draining';

/** What is being asked when a server ends is answered within this time, or cut. */
const answerMsMax = 10_000;

/** The composition root: database, loops and HTTP, in the order in which they depend on each other. */
export async function startServer(settings: Settings, log: Log): Promise<RunningServer> {
  armFailpoints(settings.SKEP_FAILPOINTS);
  const clock = systemClock;
  const models = await openModels(settings, clock, log);
  const place = await resolveDatabase({
    home: settings.SKEP_HOME,
    clock,
    log,
    ...(settings.DATABASE_URL === undefined ? {} : { databaseUrl: settings.DATABASE_URL }),
    ...(settings.SKEP_DB_PORT === undefined ? {} : { port: settings.SKEP_DB_PORT }),
  });
  const database = openDatabase({ appUrl: place.appUrl, engineUrl: place.engineUrl, routes: flow, clock, log });
  const runs = { ...runSettings(settings), modelTargets: modelTargets(models) };
  const chunks = openChunks(place.engineUrl, log);
  const { blobs, depot, upstream } = await openStores(settings, { clock, chunks });
  const parts = { database, depot, upstream, blobs, settings: runs };
  const listener = createListener(place.engineUrl, clock, log);
  const desk = createClaimDesk({ database, listener, settings: runs, clock, log });
  const gateway = serveModels(models, { database, clock, log });
  const about = { name: `${hostname()}:${process.pid}`, version: await version(), url: '', state: 'active' as Standing };
  const loops = [
    place.watch,
    gateway,
    listener,
    createJobs({ database, tasks: tasks(parts), server: () => about, clock, log }),
    createNets({ database, nets: nets(parts), settings: runs, clock, log }),
    ...sweeps(settings.SKEP_HOME, { database, settings: runs, clock, log }),
    desk,
  ];
  async function close(): Promise<void> {
    // Each step is taken whatever became of the one before: a database that is away must not keep the process alive.
    await Promise.allSettled(loops.map(loop => loop.stop()));
    await Promise.all([database.close(), chunks.close()]);
    if (!(await othersAreConnected(place.engineUrl, clock))) await place.stop();
  }

  try {
    // From its first moment this server is seen by others that stop: their connections are what keeps the database up.
    listener.start();
    await migrate(place.ownerUrl, place.names, log);
    const { tenantId, adminToken } = await bootstrapAccess(database);
    const checkReady = () => ping(database);
    const app = await createApp({
      ...parts,
      listener,
      desk,
      gateway,
      clock,
      log,
      version: about.version,
      checkReady,
    });
    const tokens = mintTokens(database, tenantId);
    const url = await listen(app, { host: settings.SKEP_HOST, port: settings.SKEP_PORT });
    about.url = url;
    for (const loop of loops) loop.start();
    return {
      url,
      adminToken,
      database: { kind: place.kind, version: place.version },
      mintWorkerToken: () => tokens.mint({ name: 'worker of skep start', role: 'worker' }),
      mintLocalToken: () => tokens.mint({ name: 'commands of this machine', role: 'member' }),
      ...endOf({ app, desk, about, tokens, close }),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What looks through the tables by itself; any number of servers may at once. */
function sweeps(home: string, parts: Parameters<typeof createSweep>[0]): Lifecycle[] {
  const { database, clock, log } = parts;
  return [
    createSequencer(database, clock, log),
    createSweep(parts),
    createAgeing(parts),
    createStormWatch(parts),
    createWorkerSweep(parts),
    removeLeftovers(home, parts),
  ];
}

interface Ending {
  readonly app: Awaited<ReturnType<typeof createApp>>;
  readonly desk: ClaimDesk;
  readonly about: { state: Standing };
  readonly tokens: MintedTokens;
  readonly close: () => Promise<void>;
}

/** How it goes: no new work, then no new question, then everything else in turn. */
function endOf({ app, desk, about, tokens, close }: Ending): Pick<RunningServer, 'drain' | 'stop'> {
  const drain = (): void => {
    about.state = 'draining';
    app.drain.begin();
    desk.drain();
  };
  return {
    drain,
    async stop() {
      try {
        drain();
        await app.drain.finish(answerMsMax);
        await app.close();
        await tokens.revoke();
      } finally {
        await close();
      }
    },
  };
}

/** Who answers for models: the providers of the settings, and the recorded one where there is a recording. */
async function openModels(settings: Settings, clock: Clock, log: Log): Promise<OpenModels> {
  const models = await readModels({
    file: settings.SKEP_MODELS ?? join(settings.SKEP_HOME, 'models.json'),
    isRequired: settings.SKEP_MODELS !== undefined,
    keys: settings,
    variable: keyNamed,
    today: new Date(clock.now()).toISOString().slice(0, 10),
  });
  const live = models.providers.map(provider => createHttpUpstream(provider));
  const recordings = settings.SKEP_RECORDING === undefined ? [] : [await loadRecording(settings.SKEP_RECORDING)];
  const all = [...live, ...recordings.map(played => createRecordedUpstream(played, { clock }))];
  const folder = settings.SKEP_RECORD_TO;
  const secrets = [...secretsOf(), ...models.providers.flatMap(({ key }) => key ?? [])];
  const target = folder === undefined ? undefined : createRecordingFolder({ folder, secrets, log });
  return {
    models,
    upstreams: target === undefined ? all : all.map(upstream => recording(upstream, target)),
    async close() {
      await Promise.allSettled([...live.map(upstream => upstream.close()), target?.settled()]);
    },
  };
}

/** The gateway over them; its stop closes them too. */
function serveModels(models: OpenModels, base: Pick<GatewayParts, 'database' | 'clock' | 'log'>): Gateway {
  const shared = { ...base, random };
  const ledger = createLedger({ ...shared, onSpent: askAboutBudget });
  const gateway = createGateway({ ...shared, ...models, ledger });
  return {
    ...gateway,
    async stop() {
      await gateway.stop();
      await models.close();
    },
  };
}

interface OpenModels {
  readonly models: ModelSettings;
  readonly upstreams: GatewayParts['upstreams'];
  close(): Promise<void>;
}

/** Chance for waits that should not fall together; from 0 to 1. */
function random(): number {
  return randomInt(chanceSteps) / chanceSteps;
}

const chanceSteps = 2 ** 32;

/** What lies beside the database: bundles, Skep's copies of repositories, and the way to the users' own. */
async function openStores(
  settings: Settings,
  { clock, chunks }: { clock: Clock; chunks: Chunks },
): Promise<{ blobs: BlobStore; depot: Depot; upstream: Upstream }> {
  const home = settings.SKEP_HOME;
  const folder = join(home, 'depot');
  // Who brings a database of his own may start more servers on it, which share nothing else.
  const isShared = (settings.SKEP_BLOBS ?? (settings.DATABASE_URL === undefined ? 'folder' : 'database')) === 'database';
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return {
    blobs: isShared
      ? await createDatabaseBlobs({ chunks, folder: join(home, 'blobs'), clock })
      : await createFolderBlobs(join(home, 'blobs'), clock),
    depot: await createDepot({ folder, clock }),
    upstream: await createGitUpstream({ folder, home, clock }),
  };
}

const leftoversEveryMs = 600_000;

/** What servers that were killed have left on the disk; looked for at the start and from then on. */
function removeLeftovers(home: string, { database, clock, log }: Pick<GatewayParts, 'database' | 'clock' | 'log'>): Lifecycle {
  return createLoop({
    name: 'leftovers',
    ...{ clock, log, idleMs: leftoversEveryMs },
    async turn() {
      const uploads = await removeAbandoned(join(home, 'blobs', 'incoming'), clock);
      const ofDepot = await tidyDepot({ folder: join(home, 'depot'), clock, runsAmong: ids => runsAmong(database, ids) });
      if (uploads + ofDepot > 0) log.warn({ uploads, depot: ofDepot }, 'what a killed server had left on the disk was removed');
      return false;
    },
  });
}

interface MintedToken {
  readonly name: string;
  readonly role: 'worker' | 'member';
}

interface MintedTokens {
  mint(wanted: MintedToken): Promise<string>;
  revoke(): Promise<void>;
}

const mintedTokenS = 86_400;

/** What a start makes for itself does not outlive it; after a crash it ends by its own time. */
function mintTokens(database: Database, tenantId: string): MintedTokens {
  const scope = { tenantId, actor: 'start' };
  const minted: string[] = [];
  return {
    async mint(wanted) {
      const { token, secret } = await database.request(scope, tx => createToken(tx, { ...wanted, expiresInS: mintedTokenS }));
      minted.push(token.id);
      return secret;
    },
    async revoke() {
      for (const id of minted) await database.request(scope, tx => revokeToken(tx, id)).catch(() => {});
    },
  };
}

async function ping(database: Database): Promise<void> {
  const [row] = await database.enginePool.query(lastPosition);
  if (row === undefined) throw new Fault('database_unavailable');
}

function runSettings(settings: Settings): Omit<RunSettings, 'modelTargets'> {
  return {
    leaseMs: settings.SKEP_LEASE_MS,
    heartbeatMs: settings.SKEP_HEARTBEAT_MS,
    attemptsMax: settings.SKEP_ATTEMPTS_MAX,
    retryMs: settings.SKEP_RETRY_MS,
    restartCooldownMs: settings.SKEP_RESTART_COOLDOWN_S * 1_000,
    restartsMax: settings.SKEP_RESTARTS_MAX,
    stormFailures: settings.SKEP_STORM_FAILURES,
    queueAgeMs: settings.SKEP_QUEUE_AGE_S * 1_000,
    roundsMax: settings.SKEP_REVIEW_ROUNDS_MAX,
    reviewTimeoutMs: settings.SKEP_REVIEW_TIMEOUT_MS,
    questionMs: settings.SKEP_QUESTION_S * 1_000,
    questionWaitMs: settings.SKEP_QUESTION_WAIT_S * 1_000,
    limits: {
      timeout_ms: settings.SKEP_RUN_TIMEOUT_MS,
      output_bytes_max: settings.SKEP_RUN_OUTPUT_BYTES_MAX,
      bundle_bytes_max: settings.SKEP_RUN_BUNDLE_BYTES_MAX,
      memory_bytes: settings.SKEP_RUN_MEMORY_BYTES,
      process_count: settings.SKEP_RUN_PROCESSES,
      cpu_count: settings.SKEP_RUN_CPUS,
      tmp_bytes: settings.SKEP_RUN_TMP_BYTES,
      workspace_bytes: settings.SKEP_RUN_WORKSPACE_BYTES,
    },
  };
}

async function version(): Promise<string> {
  // From src/ and from dist/src/ alike the package is the nearest one above.
  for (const place of ['../package.json', '../../package.json']) {
    const text = await readFile(new URL(place, import.meta.url), 'utf8').catch(() => undefined);
    if (text !== undefined) return (JSON.parse(text) as { version: string }).version;
  }
  return 'unknown';
}
