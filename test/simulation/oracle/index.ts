import { beginning, type Scheduler } from '../world/scheduler.ts';
import type { Graph } from '../world/git/graph.ts';
import type { Outgoing } from '../world/git/fakes.ts';
import type { WorldOptions } from '../world/options.ts';
import type { Witness } from '../world/parts.ts';
import { createAttempts } from './attempts.ts';
import { createBars } from './bars.ts';
import { createClaims } from './claims.ts';
import { createDecisions } from './decisions.ts';
import { createLanding } from './landing.ts';
import { createPaths } from './paths.ts';
import type { Commit, Rule, Snapshot, Violate } from './types.ts';

export interface Violation {
  readonly rule: string;
  readonly message: string;
  /** Milliseconds since the world began. */
  readonly atMs: number;
}

/** Knows what must never happen, from what it has seen itself. */
export interface Oracle {
  readonly witness: Witness;
  look(commit: Commit, now: Snapshot): void;
  pushed(push: Outgoing): void;
  /** Says that a rule was broken; the world stops at the first. */
  readonly violate: Violate;
  violation(): Violation | undefined;
  readonly figures: { readonly claims: number; readonly landed: number; readonly rejected: number; readonly commits: number };
}

interface OracleParts {
  readonly scheduler: Pick<Scheduler, 'now' | 'stop'>;
  readonly graph: Graph;
  readonly options: Pick<WorldOptions, 'settings' | 'hasChecks'>;
}

export function createOracle({ scheduler, graph, options }: OracleParts): Oracle {
  let violation: Violation | undefined;
  let commits = 0;
  const violate: Violate = (rule, message) => {
    violation ??= { rule, message, atMs: scheduler.now() - beginning };
    scheduler.stop();
  };
  const claims = createClaims({ leaseMs: options.settings.leaseMs, violate });
  const landing = createLanding({ graph, hasChecks: options.hasChecks, violate });
  const decisions = createDecisions(violate);
  const rules: readonly Rule[] = [
    claims,
    createBars(violate),
    createAttempts({ settings: options.settings, violate }),
    landing,
    createPaths(violate),
    decisions,
  ];
  return {
    witness: {
      checked(commit, isGreen) {
        if (isGreen) landing.checked(commit);
      },
      told: (kind, token, since) => claims.told(kind, token, since),
      died: token => claims.died(token),
    },
    look(commit, now) {
      commits += 1;
      for (const rule of rules) rule.look(commit, now);
    },
    pushed: push => landing.pushed(push),
    violate,
    violation: () => violation,
    get figures() {
      return { claims: claims.count, landed: landing.count, rejected: decisions.rejected, commits };
    },
  };
}
