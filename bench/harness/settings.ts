import type { RunSettings } from '../../src/stages/runs/index.ts';

/** What those who claim can do. `label:far` is asked for where other workers, which have it not, are to leave the queue alone. */
export const benchCapabilities = ['agent:exec', 'isolation:namespaces', 'label:far'];

/** What a server goes by when nothing is set, as far as the queue asks for it; no lease of a benchmark runs out by itself. */
export const benchSettings: RunSettings = {
  ...{
    leaseMs: 600_000,
    heartbeatMs: 5_000,
    attemptsMax: 3,
    retryMs: 2_000,
    roundsMax: 10,
    reviewTimeoutMs: 1,
    questionMs: 1,
    questionWaitMs: 1,
  },
  ...{ restartCooldownMs: 60_000, restartsMax: 3, stormFailures: 10, queueAgeMs: 7_200_000 },
  modelTargets: () => [],
  limits: {
    ...{
      timeout_ms: 0,
      output_bytes_max: 0,
      bundle_bytes_max: 0,
      memory_bytes: 0,
      process_count: 0,
      cpu_count: 0,
      tmp_bytes: 0,
      workspace_bytes: 64 * 2 ** 20,
    },
  },
};
