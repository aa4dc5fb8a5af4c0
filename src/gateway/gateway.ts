import type { Database } from '../db/database.ts';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import type { Log } from '../kernel/log.ts';
import { createLoop, type Lifecycle } from '../kernel/loop.ts';
import { haltRun, liveRunsOf, type RunContext, runOfToken } from '../stages/runs/index.ts';
import { type BreakerLimits, breakerLimits, createBreakers } from './call/breakers.ts';
import { createHolds } from './call/holds.ts';
import { answerCall } from './call/index.ts';
import { type Asked, type CallParts, type Client, Cut, type CutKind } from './call/types.ts';
import type { ModelSettings } from './configure.ts';
import { requestsOfRunMax } from './intake.ts';
import type { Ledger } from './ledger.ts';
import { type Catalog, type KnownProvider, resolveModel, type Target, targetsNamed, usableModels } from './model/catalog.ts';
import { type RetryLimits, retryLimits } from './model/retry.ts';
import { createBreakerStore } from './store/breakers.ts';
import type { Upstream, Wire } from './upstream.ts';

export interface GatewayParts {
  readonly database: Database;
  readonly ledger: Ledger;
  /** What SKEP_MODELS and the keys say. */
  readonly models: ModelSettings;
  /** One for each provider of the settings, and those that come from elsewhere, such as the recorded one. */
  readonly upstreams: readonly Upstream[];
  readonly clock: Clock;
  readonly log: Log;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly limits?: Partial<GatewayLimits>;
}

export interface GatewayLimits {
  readonly retry: RetryLimits;
  readonly breaker: BreakerLimits;
  /** From the request to the last byte of its answer. */
  readonly callMsMax: number;
  /** Between two looks whether the runs of the calls under way still have their leases: a zombie is cut within 2 s. */
  readonly leaseLookMs: number;
}

const defaultLimits: GatewayLimits = { retry: retryLimits, breaker: breakerLimits, callMsMax: 1_800_000, leaseLookMs: 500 };

export interface Gateway extends Lifecycle {
  /** Whose sandbox shows this run token. Throws Fault `unauthenticated`. */
  identify(secret: string): Promise<RunContext>;
  /** Answers a call of a model; resolves when it is settled and the client has been told. Throws Fault where nothing was told yet. */
  answer(asked: Asked, waiting: { readonly client: Client; readonly gone: AbortSignal }): Promise<void>;
  /** Names that a call over this wire may use. */
  models(wire: Wire): readonly string[];
  /** Throws Fault `no_model`, `unknown_model` where no provider can be asked for it. */
  find(name: string, wire: Wire): { readonly isRecorded: boolean };
}

/** An agent with its helpers has a handful of calls under way; each may hold 32 MiB. */
const callsOfRunMax = requestsOfRunMax;
const callsMax = 1_000;

/** The model gateway: what agents in sandboxes ask of models goes through here, and is metered, retried and cut here. */
export function createGateway(parts: GatewayParts): Gateway {
  const { database, clock, log } = parts;
  const limits = { ...defaultLimits, ...parts.limits };
  const catalog = catalogOf(parts);
  const call: CallParts = {
    ...parts,
    catalog,
    upstreams: new Map(parts.upstreams.map(upstream => [upstream.name, upstream])),
    breakers: createBreakers({ store: createBreakerStore(database), limits: limits.breaker, clock, log }),
    holds: createHolds(),
    retry: limits.retry,
    halt: (run, halt) =>
      database
        .engine({ tenantId: run.tenantId, actor: 'gateway' }, tx => haltRun(tx, run.runId, halt))
        .catch((error: unknown) => {
          // The client is told all the same, and the next call finds the same reason.
          log.error({ run: run.runId, error: String(error) }, 'what stands in the way of a run could not be noted');
        }),
  };
  const underWay = new Map<AbortController, { readonly runId: string; readonly done: Promise<void> }>();
  const cutAll = (kind: CutKind, which: (runId: string) => boolean): void => {
    for (const [ending, { runId }] of underWay) if (which(runId)) ending.abort(new Cut(kind));
  };

  const leases = createLoop({
    name: 'gateway leases',
    clock,
    log,
    idleMs: limits.leaseLookMs,
    async turn() {
      const runIds = [...new Set([...underWay.values()].map(({ runId }) => runId))];
      const live = await liveRunsOf(database, runIds);
      cutAll('lease_lost', runId => runIds.includes(runId) && !live.has(runId));
      return false;
    },
  });

  async function answer(asked: Asked, { client, gone }: { client: Client; gone: AbortSignal }): Promise<void> {
    admit(asked.run.runId, underWay);
    const ending = new AbortController();
    const over = new AbortController();
    void clock.sleep(limits.callMsMax, over.signal).then(() => ending.abort(new Cut('total_time')));
    const leave = (): void => ending.abort(new Cut('client_gone'));
    if (gone.aborted) leave();
    gone.addEventListener('abort', leave, { once: true });
    const done = answerCall(call, asked, { client, signal: ending.signal });
    underWay.set(ending, { runId: asked.run.runId, done });
    try {
      await done;
    } finally {
      underWay.delete(ending);
      over.abort();
    }
  }

  return {
    answer,
    identify: secret => runOfToken(database, secret),
    models: wire => usableModels(catalog, wire),
    find(name, wire) {
      const targets = resolveModel(catalog, name, wire);
      return { isRecorded: targets.some(({ provider }) => catalog.providers.get(provider)?.isRecorded === true) };
    },
    start: () => leases.start(),
    async stop() {
      await leases.stop();
      cutAll('stopping', () => true);
      await Promise.allSettled([...underWay.values()].map(({ done }) => done));
    },
  };
}

/** Whose breakers say whether a model is answered for. */
export function modelTargets(
  parts: Pick<GatewayParts, 'models' | 'upstreams'>,
): (model: string, wire: Wire | undefined) => readonly Target[] {
  const catalog = catalogOf(parts);
  return (model, wire) => targetsNamed(catalog, model, wire);
}

function admit(runId: string, underWay: ReadonlyMap<unknown, { readonly runId: string }>): void {
  const ofRun = [...underWay.values()].filter(each => each.runId === runId).length;
  if (ofRun < callsOfRunMax && underWay.size < callsMax) return;
  throw new Fault('too_many_calls', {
    message:
      ofRun >= callsOfRunMax
        ? `A run has at most ${callsOfRunMax} calls of models under way`
        : `The gateway has ${callsMax} calls under way`,
    hint: 'Ask again when one of them has ended',
  });
}

function catalogOf({ models, upstreams }: Pick<GatewayParts, 'models' | 'upstreams'>): Catalog {
  const settings = new Map(models.providers.map(provider => [provider.name, provider]));
  const providers = upstreams.map((upstream): [string, KnownProvider] => {
    const { name, wires, isRecorded, pricedAs = null } = upstream;
    const { kind = null, keyVariable = null } = settings.get(name) ?? {};
    return [name, { name, wires, isRecorded, pricedAs, kind, keyVariable }];
  });
  return { providers: new Map(providers), aliases: models.aliases, prices: models.prices, modelsFile: models.file };
}
