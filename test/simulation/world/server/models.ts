import type { Agent } from '../../../../contract/projects.ts';
import { createGateway, type Gateway, type GatewayParts, modelTargets } from '../../../../src/gateway/index.ts';
import { type Upstream, UpstreamError } from '../../../../src/gateway/upstream.ts';
import { askAboutBudget } from '../../../../src/stages/runs/index.ts';
import { createLedger } from '../../../../src/support/budgets/index.ts';
import type { Dice } from '../dice.ts';
import type { World } from '../parts.ts';
import type { Process } from '../process.ts';

/** Two providers with a model each; the far one never goes away, so that there is always one that answers. */
export const providerNames = ['near', 'far'] as const;
export type ProviderName = (typeof providerNames)[number];

/** Micro-USD per million tokens: a call is some hundreds of them, and reserves some thousands. */
const price = {
  input: 1_000_000,
  output: 5_000_000,
  cached: 1_000_000,
  cacheWrite: 1_000_000,
  asOf: '2030-01-01',
  outputTokensMax: 400,
};

const settings: GatewayParts['models'] = {
  providers: [],
  aliases: new Map(),
  prices: new Map(providerNames.map(name => [modelAt(name), price])),
  file: '/models.json',
};

/** As the names of their templates are. */
function modelAt(name: ProviderName): string {
  return `${name}/model`;
}

/** An agent that asks the model of a provider. */
export function agentOf(name: ProviderName): Agent {
  return { kind: 'exec', command: ['true'], model: modelAt(name) };
}

/** Whom the gateway would ask, of every server alike. */
export const simulatedTargets = modelTargets({
  models: settings,
  upstreams: providerNames.map(name => ({ ...face(name), open: () => Promise.reject(new Error('nobody is asked here')) })),
});

interface Gatewaying extends Pick<GatewayParts, 'database' | 'clock' | 'log'> {
  readonly world: World;
  readonly dice: Dice;
  readonly process: Process;
}

/** The product's gateway with its ledger and its breakers, over simulated providers; all of its waits are as short as leases are here. */
export function simulatedGateway({ world, dice, process, ...shared }: Gatewaying): Gateway {
  const random = (): number => dice.next();
  return createGateway({
    ...shared,
    random,
    ledger: createLedger({ ...shared, random, onSpent: askAboutBudget, waitMsMax: 1_000 }),
    models: settings,
    upstreams: providerNames.map(name => providerNamed(name, { world, dice: dice.of(name), process })),
    limits: {
      breaker: { failuresMax: 2, halfOpenMs: 3_000 },
      retry: { backoffMs: 20, backoffMsMax: 200, retryAfterMsMax: 500, breakerWaitMsMax: 200 },
      callMsMax: 10_000,
    },
  });
}

function face(name: ProviderName): Omit<Upstream, 'open'> {
  return { name, label: name, wires: ['chat'], isRecorded: false };
}

function providerNamed(name: ProviderName, { world, dice, process }: Pick<Gatewaying, 'world' | 'dice' | 'process'>): Upstream {
  return {
    ...face(name),
    async open({ run, signal }) {
      await process.clock.sleep(dice.around(150), signal);
      signal.throwIfAborted();
      if (world.scheduler.now() < (world.awayUntil.get(name) ?? 0)) throw new UpstreamError('connect', `${name} is away`);
      const usage = { prompt_tokens: dice.between(10, 300), completion_tokens: dice.between(10, 300) };
      const answer = { choices: [{ message: { role: 'assistant', content: 'go on' }, finish_reason: 'stop' }], usage };
      return { status: 200, headers: { 'content-type': 'application/json' }, body: said(Buffer.from(JSON.stringify(answer))) };

      async function* said(bytes: Buffer): AsyncGenerator<Uint8Array> {
        yield bytes;
        // It was read to its end: from here on it is to be paid.
        world.witness.used(run.runId, usage.prompt_tokens + usage.completion_tokens);
      }
    },
  };
}
