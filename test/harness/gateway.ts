import fastify from 'fastify';
import type { AddressInfo } from 'node:net';
import { createGateway, type Gateway, type GatewayLimits, gatewayRoutes, type ModelSettings } from '../../src/gateway/index.ts';
import type { Ledger, Reservation, Reserved, Settlement } from '../../src/gateway/ledger.ts';
import type { Upstream, Wire } from '../../src/gateway/upstream.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { createHttpUpstream, type HttpUpstream, type Timeouts } from '../../src/providers/models/http/index.ts';
import { askAboutBudget } from '../../src/stages/runs/index.ts';
import { createLedger } from '../../src/support/budgets/index.ts';
import { askOf } from './model-answers.ts';
import { type ScriptedModel, startScriptedModel } from './scripted-model.ts';
import { type Stages, stagesForTests } from './stages.ts';

/** The gateway as it is served, on a real database, with scripted providers behind it: `local`, `spare`, and more where they are named. */
export interface TestGateway {
  readonly stages: Stages;
  readonly gateway: Gateway;
  readonly url: string;
  /** Of a run that is claimed. */
  readonly runId: string;
  readonly runToken: string;
  readonly local: ScriptedModel;
  readonly spare: ScriptedModel;
  readonly reservations: readonly Reservation[];
  readonly settlements: readonly Settlement[];
  /** What the ledger says next, instead of what it would. */
  decide(...reserved: readonly Exclude<Reserved, { kind: 'granted' }>[]): void;
  ask(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
  askWire(wire: Wire, options?: { model?: string; isStream?: boolean }): Promise<Response>;
  haltOf(runId?: string): Promise<{ kind: string; message: string; questionId?: string } | null>;
  /** A second server on the same database. */
  another(): Promise<{ readonly url: string; close(): Promise<void> }>;
  close(): Promise<void>;
}

interface Options {
  readonly limits?: Partial<GatewayLimits>;
  readonly timeouts?: Partial<Timeouts>;
  readonly aliases?: Readonly<Record<string, readonly string[]>>;
  /** More providers than the two scripted ones. */
  readonly extra?: readonly Upstream[];
}

/** As quick as a test wants it: the waits are a hundredth of the real ones. */
const quickLimits: GatewayLimits = {
  retry: { backoffMs: 5, backoffMsMax: 80, retryAfterMsMax: 1_500, breakerWaitMsMax: 1_200 },
  breaker: { failuresMax: 5, halfOpenMs: 300 },
  callMsMax: 20_000,
  leaseLookMs: 50,
};

export async function startTestGateway({ limits, timeouts = {}, aliases = {}, extra = [] }: Options = {}): Promise<TestGateway> {
  const [stages, local, spare] = await Promise.all([stagesForTests(), startScriptedModel(), startScriptedModel()]);
  const { run, runToken } = await stages.claimNew();
  const models = settingsOf({ local, spare }, aliases);
  const upstreams = models.providers.map(provider => createHttpUpstream({ ...provider, timeouts }));
  const watched = watchedLedger(stages);
  const serve = async () =>
    serveGateway({
      stages,
      models,
      ledger: watched.ledger,
      upstreams: [...upstreams, ...extra],
      limits: { ...quickLimits, ...limits },
    });
  const served = await serve();
  const { url } = served;
  const ask: TestGateway['ask'] = (path, body, headers = {}) =>
    fetch(url + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${runToken}`, 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    });
  return {
    ...{ stages, local, spare, ask, url, runToken, runId: run.id, gateway: served.gateway },
    reservations: watched.reservations,
    settlements: watched.settlements,
    decide: watched.decide,
    another: serve,
    askWire(wire, options) {
      const { path, body } = askOf(wire, options);
      return ask(path, body);
    },
    async haltOf(runId = run.id) {
      const [row] = await stages.sql<{ halt: { kind: string; message: string; questionId?: string } | null }>(
        'select halt from runs where id = $1',
        [runId],
      );
      return row?.halt ?? null;
    },
    async close() {
      await served.close();
      await Promise.all([local.close(), spare.close(), ...upstreams.map((upstream: HttpUpstream) => upstream.close())]);
      await stages.close();
    },
  };
}

function settingsOf(
  models: { local: ScriptedModel; spare: ScriptedModel },
  aliases: Readonly<Record<string, readonly string[]>>,
): ModelSettings {
  const wires: readonly Wire[] = ['anthropic', 'chat', 'responses', 'gemini'];
  const provider = (name: string, model: ScriptedModel) => ({
    ...{ name, wires, kind: 'openai-compatible' as const, baseUrl: `${model.url}/v1` },
    ...{ key: `sk-${name}-secret`, keyVariable: `${name.toUpperCase()}_KEY` },
  });
  const price = {
    input: 1_000_000,
    output: 2_000_000,
    cached: 100_000,
    cacheWrite: 1_250_000,
    asOf: '2026-11-21',
    outputTokensMax: 4_000,
  };
  return {
    providers: [provider('local', models.local), provider('spare', models.spare)],
    aliases: new Map(Object.entries(aliases)),
    prices: new Map([
      ['local/m', price],
      ['spare/m', { ...price, input: 5_000_000 }],
    ]),
    file: 'models.json',
  };
}

/** The real ledger; what it is asked and told is kept. */
function watchedLedger({ database }: Stages) {
  const real = createLedger({
    database,
    clock: systemClock,
    log: silentLog,
    random: () => 0.5,
    onSpent: askAboutBudget,
    waitMsMax: 500,
  });
  const reservations: Reservation[] = [];
  const settlements: Settlement[] = [];
  let decided: Reserved[] = [];
  const ledger: Ledger = {
    reserve(wanted, signal) {
      reservations.push(wanted);
      const next = decided.shift();
      return next === undefined ? real.reserve(wanted, signal) : Promise.resolve(next);
    },
    async settle(callId, settlement) {
      settlements.push(settlement);
      await real.settle(callId, settlement);
    },
  };
  return { ledger, reservations, settlements, decide: (...next: readonly Reserved[]) => void (decided = [...next]) };
}

interface Served {
  readonly stages: Stages;
  readonly models: ModelSettings;
  readonly ledger: Ledger;
  readonly upstreams: readonly Upstream[];
  readonly limits: GatewayLimits;
}

async function serveGateway({ stages, ...parts }: Served): Promise<{ url: string; gateway: Gateway; close(): Promise<void> }> {
  const shared = { clock: systemClock, log: silentLog };
  const gateway = createGateway({ ...parts, ...shared, database: stages.database, random: () => 0.5 });
  const app = fastify({ forceCloseConnections: true });
  gatewayRoutes(app, { gateway, ...shared });
  await app.listen({ host: '127.0.0.1', port: 0 });
  gateway.start();
  return {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    gateway,
    async close() {
      await app.close();
      await gateway.stop();
    },
  };
}
