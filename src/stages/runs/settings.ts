import type { RunLimits } from '../../../contract/runs.ts';
import type { AttemptPolicy } from './model/retry.ts';

/** What the engine goes by; each number is a documented setting. */
export interface RunSettings extends AttemptPolicy {
  readonly leaseMs: number;
  readonly heartbeatMs: number;
  readonly limits: RunLimits;
}
