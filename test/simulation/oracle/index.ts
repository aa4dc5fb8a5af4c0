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
import type { RuleName } from './rules.ts';
import { createMoney } from './talk/money.ts';
import { createQuestions } from './talk/questions.ts';
import { createRoutes } from './talk/routes.ts';
import type { Commit, Rule, Snapshot, Violate } from './types.ts';

export interface Violation {
  readonly rule: RuleName;
  readonly message: string;
  /** Milliseconds since the world began. */
  readonly atMs: number;
}

/** Knows what must never happen, from what it has seen itself. */
export interface Oracle {
  readonly witness: Witness;
  look(commit: Commit, now: Snapshot): void;
  pushed(push: Outgoing): void;
  /** All is at rest: what must have been done by then. */
  end(): void;
  /** Says that a rule was broken; the world stops at the first. */
  readonly violate: Violate;
  violation(): Violation | undefined;
  readonly figures: OracleFigures;
}

/** How much of what the rules are about has happened. */
export interface OracleFigures {
  readonly commits: number;
  readonly claims: number;
  readonly landed: number;
  readonly rejected: number;
  /** Questions that were decided. */
  readonly decided: number;
  /** Calls of models that were granted. */
  readonly calls: number;
  /** Breakers that were opened. */
  readonly opened: number;
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
  const questions = createQuestions(violate);
  const money = createMoney(violate);
  const routes = createRoutes(violate);
  const rules: readonly Rule[] = [
    claims,
    createBars(violate),
    createAttempts({ settings: options.settings, violate }),
    landing,
    createPaths(violate),
    decisions,
    questions,
    money,
    routes,
  ];
  return {
    witness: {
      checked(commit, isGreen) {
        if (isGreen) landing.checked(commit);
      },
      told: (kind, token, since) => claims.told(kind, token, since),
      died: token => claims.died(token),
      heard: questions.heard,
      begins: questions.begins,
      identified: money.identified,
      used: money.used,
      refitted: routes.refitted,
    },
    look(commit, now) {
      commits += 1;
      for (const rule of rules) rule.look(commit, now);
    },
    pushed: push => landing.pushed(push),
    end: () => money.end(),
    violate,
    violation: () => violation,
    get figures() {
      const { decided } = questions;
      const { rejected } = decisions;
      return {
        commits,
        claims: claims.count,
        landed: landing.count,
        rejected,
        decided,
        calls: money.calls,
        opened: routes.opened,
      };
    },
  };
}
