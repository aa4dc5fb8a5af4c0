import type { CheckEvidence } from '../../../../contract/reviews.ts';
import type { News } from '../follow/news.ts';

/** The same as the lines, for programs: documented in docs/guides/build.md. */
export function newsDocument(news: News): object {
  switch (news.kind) {
    case 'ticket': {
      const { row, from, at } = news;
      const { id, title, status, reason, proof, attempts, begun } = row;
      return {
        event: 'ticket',
        ticket_id: id,
        title,
        status,
        from,
        reason,
        proof,
        attempts,
        at: new Date(at).toISOString(),
        elapsed_ms: begun === undefined ? null : Math.max(0, at - begun),
      };
    }
    case 'review': {
      const { id, kind, ticket_id, run_id, round, state, head_sha, base_sha, candidate_sha, checks, flags, reason } = news.review;
      const shas = { head_sha, base_sha, candidate_sha };
      return {
        event: 'check',
        review_id: id,
        kind,
        ticket_id,
        run_id,
        round,
        state,
        ...shas,
        reason,
        flags,
        checks: checks.map(brief),
      };
    }
    case 'change':
      return { event: 'change', ...news.change };
    case 'trunk': {
      const { id, branch, state, reason, hint, base_sha, head_sha, published_sha, publish_error, checks } = news.trunk;
      const kind = published_sha === null && publish_error === null ? 'base' : 'published';
      return { event: kind, trunk_id: id, branch, state, reason, hint, base_sha, head_sha, published_sha, publish_error, checks };
    }
    case 'question':
      return { event: 'question', ...news.question };
    default:
      return { event: 'note', text: news.text };
  }
}

/** A red one with the end of what it printed; of a green one nobody asks. */
function brief(check: CheckEvidence): object {
  const { output_tail, ...rest } = check;
  return check.outcome === 'exited' && check.exit_code === 0 ? rest : { ...rest, output_tail };
}
