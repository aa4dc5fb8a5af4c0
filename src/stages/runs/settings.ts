import type { RunLimits } from '../../../contract/runs.ts';
import type { ModelTargets } from '../../support/templates/index.ts';
import type { AttemptPolicy } from './model/retry.ts';

/** What the engine goes by; each number is a documented setting. */
export interface RunSettings extends AttemptPolicy {
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly limits: RunLimits;
  /** How often the work on one ticket is sent back before it is failed. */
  readonly roundsMax: number;
  /** How long an agent's question waits for a person's answer before the default holds. */
  readonly questionMs: number;
  /** How long its run waits for that, before it is parked. */
  readonly questionWaitMs: number;
  /** Runs that must break off within a minute, all over a tenant, for its brake to be pulled. */
  readonly stormFailures: number;
  /** How long a run may be due before it goes before all that is not. */
  readonly queueAgeMs: number;
  /** Wall clock of one round of checks; the other limits are those of all runs. */
  readonly reviewTimeoutMs: number;
  /** Whom the gateway would ask for a model: no setting, but what the models file and the keys say. */
  readonly modelTargets: ModelTargets;
}
