import type { WireCosts } from '../../../../contract/models/budgets.ts';
import type { WireChange } from '../../../../contract/changes.ts';
import type { Proof } from '../../../../contract/results.ts';
import type { WireQuestion } from '../../../../contract/talk/questions.ts';
import type { WireReview } from '../../../../contract/reviews.ts';
import type { WireTrunk } from '../../../../contract/trunks.ts';
import type { Context } from '../../context.ts';
import type { Row } from '../follow/board.ts';
import { openQuestionsOf } from '../follow/questions.ts';
import { listMax, readChanges, readCosts, readReviews, readTrunkLog } from '../follow/reads.ts';
import { isPublished } from '../follow/standing.ts';
import type { Standing } from '../follow/standing.ts';
import type { Build } from '../follow/watch.ts';
import { isGreen } from '../view/words.ts';

/** What a build has come to: read where it is not known. */
export interface Outcome {
  readonly standing: Standing;
  readonly name: string;
  readonly note: string;
  readonly sessionId: string;
  readonly repository: string | null;
  readonly trunk: WireTrunk | undefined;
  readonly isPublished: boolean;
  readonly rows: readonly Row[];
  readonly proof: Proof | null;
  /** Attempts of agents at all tickets. */
  readonly attempts: number;
  readonly checks: CheckTotals;
  /** The newest base review, where the base was refused for it. */
  readonly redBase: WireReview | undefined;
  /** The newest red review of each failed ticket. */
  readonly redReviews: ReadonlyMap<string, WireReview>;
  /** What waits for approval. */
  readonly flagged: readonly WireChange[];
  /** What is asked and not answered. */
  readonly questions: readonly WireQuestion[];
  readonly log: readonly string[];
  /** What models were asked, by the gateway's own count. */
  readonly costs: WireCosts;
  /** Milliseconds that this command took. */
  readonly elapsed: number;
}

export interface CheckTotals {
  /** How often a check ran. */
  readonly runs: number;
  readonly durationMs: number;
  /** Whether there were more than are counted here. */
  readonly isPartial: boolean;
  /** Of the newest review that passed. */
  readonly testsPassed: number | undefined;
}

export async function readOutcome(
  context: Context,
  build: Build,
  at: { standing: Standing; repository: string | null; elapsed: number },
): Promise<Outcome> {
  const { trunk, board, name, note, session } = build;
  const rows = board.rows();
  const reviews = trunk === undefined ? [] : await readReviews(context, trunk.id);
  const changes = trunk === undefined ? [] : await readChanges(context, trunk.id);
  return {
    ...at,
    name,
    note,
    sessionId: session.id,
    trunk,
    isPublished: trunk !== undefined && trunk.published_sha !== null && isPublished(trunk),
    rows,
    proof: proofOf(rows),
    attempts: rows.reduce((sum, row) => sum + row.attempts, 0),
    checks: totalsOf(reviews),
    redBase: trunk?.state === 'refused' ? reviews.find(({ kind, state }) => kind === 'base' && state !== 'passed') : undefined,
    redReviews: redReviewsOf(rows, reviews),
    flagged: changes.filter(({ state, approval }) => state === 'open' && approval === 'needed'),
    questions: await openQuestionsOf(context, build),
    costs: await readCosts(context, build.specId),
    log:
      trunk === undefined || trunk.head_sha === trunk.base_sha
        ? []
        : (await readTrunkLog(context, trunk.id)).trimEnd().split('\n'),
  };
}

function proofOf(rows: readonly Row[]): Proof | null {
  const merged = rows.filter(({ status }) => status === 'completed');
  if (merged.length === 0) return null;
  return merged.every(({ proof }) => proof === 'proven') ? 'proven' : 'unproven';
}

/** Reviews come newest first. */
function totalsOf(reviews: readonly WireReview[]): CheckTotals {
  const checks = reviews.flatMap(review => review.checks);
  const last = reviews.find(({ state, checks }) => state === 'passed' && checks.some(({ tests }) => tests !== null));
  return {
    runs: checks.length,
    durationMs: checks.reduce((sum, { duration_ms }) => sum + duration_ms, 0),
    isPartial: reviews.length >= listMax,
    testsPassed: last?.checks.reduce((sum, { tests }) => sum + (tests?.passed ?? 0), 0),
  };
}

function redReviewsOf(rows: readonly Row[], reviews: readonly WireReview[]): Map<string, WireReview> {
  const failed = new Set(rows.filter(({ status }) => status === 'failed').map(({ id }) => id));
  const red = new Map<string, WireReview>();
  for (const review of reviews) {
    const { ticket_id: id, checks } = review;
    if (id !== null && failed.has(id) && !red.has(id) && !checks.every(isGreen)) red.set(id, review);
  }
  return red;
}

/** As docs/cli.md lists them. */
export function exitCodeOf(standing: Standing): number {
  return exitCodes[standing];
}

const exitCodes: Readonly<Record<Standing, number>> = {
  completed: 0,
  failed: 1,
  cancelled: 1,
  refused: 4,
  waiting: 4,
  unpublished: 4,
  rejected: 4,
  moving: 4,
};
