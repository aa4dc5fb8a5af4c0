import type { Commands } from '../commands.ts';
import { costFields } from './costs.ts';
import { nextSteps } from './next.ts';
import type { Outcome } from './outcome.ts';

/** The same for programs: documented in docs/guides/build.md. */
export function summaryDocument(outcome: Outcome, exitCode: number, commands: Commands): object {
  const {
    standing,
    name,
    sessionId,
    repository,
    trunk,
    rows,
    proof,
    attempts,
    checks,
    elapsed,
    flagged,
    questions,
    isPublished,
  } = outcome;
  return {
    event: 'summary',
    state: standing,
    exit_code: exitCode,
    name,
    session_id: sessionId,
    repository,
    branch: trunk?.branch ?? null,
    published: isPublished,
    base_sha: trunk?.base_sha ?? null,
    head_sha: trunk?.head_sha ?? null,
    commits: trunk?.merge_count ?? 0,
    proof,
    attempts,
    ...costFields(outcome.costs),
    checks: { runs: checks.runs, duration_ms: checks.durationMs, tests_passed: checks.testsPassed ?? null },
    reason: trunk?.reason ?? trunk?.publish_error ?? null,
    hint: trunk?.hint ?? null,
    elapsed_ms: Math.round(elapsed),
    waiting: flagged.map(({ id, ticket_id, head_sha, flags }) => ({ change_id: id, ticket_id, head_sha, flags })),
    questions: questions.map(({ id, kind, ticket_id, text, options }) => ({ id, kind, ticket_id, text, options })),
    tickets: rows.map(({ id, title, status, reason, proof, attempts }) => ({ id, title, status, reason, proof, attempts })),
    next: nextSteps(outcome, commands),
  };
}
