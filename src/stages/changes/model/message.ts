import type { CheckEvidence } from '../../../../contract/reviews.ts';
import type { Proof } from '../../../../contract/results.ts';

export interface Provenance {
  readonly ticketId: string;
  readonly title: string;
  readonly runId: string;
  readonly attempt: number;
  readonly agent: string;
  readonly reviewId: string;
  readonly checks: readonly CheckEvidence[];
  readonly proof: Proof;
}

/** The message of the commit that lands a ticket's work: where it comes from and what was checked, as trailers that git can read. */
export function mergeMessage({ ticketId, title, runId, attempt, agent, reviewId, checks, proof }: Provenance): string {
  const trailers = [
    `Skep-Ticket: ${ticketId}`,
    `Skep-Run: ${runId} (attempt ${attempt})`,
    `Skep-Agent: ${agent}`,
    `Skep-Review: ${reviewId}`,
    ...(checks.length === 0 ? ['Skep-Checks: none'] : checks.map(check => `Skep-Checks: ${told(check)}`)),
    `Skep-Proof: ${proof}`,
  ];
  return `${oneLine(title)} (${ticketId})\n\n${trailers.join('\n')}\n`;
}

function told({ name, exit_code, duration_ms, tests, flaky }: CheckEvidence): string {
  const counts = tests === null ? [] : [`${tests.passed} of ${tests.total} tests passed`];
  const parts = [`exit code ${exit_code ?? 'none'}`, ...counts, `${(duration_ms / 1000).toFixed(1)} s`];
  return oneLine(`${name}: ${parts.join(', ')}${flaky ? ', flaky' : ''}`);
}

/** A line that begins a new one would be a trailer of its own. */
function oneLine(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f\u2028\u2029]+/g, ' ').trim();
}
