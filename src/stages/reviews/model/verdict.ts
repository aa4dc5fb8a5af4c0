import type { CheckEvidence } from '../../../../contract/reviews.ts';
import { oneLine } from './plain-text.ts';

export interface Verdict {
  readonly verdict: 'passed' | 'needs_work';
  readonly reason: string;
}

/** Passed only where every check ended with 0. No checks is no review: a caller that has none must say that nothing was proven. */
export function judge(checks: readonly CheckEvidence[]): Verdict {
  const reasons = redReasons(checks);
  return reasons.length > 0
    ? { verdict: 'needs_work', reason: reasons.join('; ') }
    : { verdict: 'passed', reason: greenReason(checks) };
}

/** The commit that all work starts from: `failures` has a sentence for each red check. Without checks it throws, as `judge`. */
export function judgeBase(checks: readonly CheckEvidence[]): { verdict: 'passed' | 'failed'; failures: string[] } {
  const failures = redReasons(checks);
  return { verdict: failures.length > 0 ? 'failed' : 'passed', failures };
}

export function isGreen({ outcome, exit_code }: CheckEvidence): boolean {
  return outcome === 'exited' && exit_code === 0;
}

/** `npm test` ended with exit code 1 */
export function tellEnding(check: CheckEvidence): string {
  return `\`${commandLine(check.command)}\` ${ending[check.outcome](check)}`;
}

/** As a person would type it, in one line of at most 200 characters. */
function commandLine(command: readonly string[]): string {
  const [program, option, line] = command;
  if (program === 'sh' && option === '-c' && line !== undefined && command.length === 3) return oneLine(line);
  return oneLine(command.map(word => (/^[\w@%+=:,./*-]+$/.test(word) ? word : `'${word}'`)).join(' '));
}

function redReasons(checks: readonly CheckEvidence[]): string[] {
  if (checks.length === 0) throw new Error('a review needs a check');
  return checks.filter(check => !isGreen(check)).map(tellEnding);
}

function greenReason(checks: readonly CheckEvidence[]): string {
  const all = checks.length === 1 ? checks.map(tellEnding).join('') : `all ${checks.length} checks ended with exit code 0`;
  const flaky = checks.filter(check => check.flaky).map(({ command }) => `\`${commandLine(command)}\``);
  return flaky.length === 0 ? all : `${all}; red at first and green when run again: ${flaky.join(', ')}`;
}

const ending: Readonly<Record<CheckEvidence['outcome'], (check: CheckEvidence) => string>> = {
  exited: ({ exit_code }) => {
    // What a shell says of a program that it was to start.
    if (exit_code === 127) return 'ended with exit code 127: a program that it calls does not exist in the sandbox';
    return exit_code === null ? 'ended without an exit code' : `ended with exit code ${exit_code}`;
  },
  signaled: () => 'was ended by a signal',
  timeout: ({ duration_ms }) => `did not end within ${Math.round(duration_ms / 1000)} s`,
  output_limit: () => 'was stopped: it printed more than is allowed',
  workspace_full: () => 'was stopped: the workspace grew larger than is allowed',
  out_of_memory: () => 'was stopped: it ran out of memory',
  not_found: ({ command }) => `cannot be run: the program \`${oneLine(command[0] ?? '')}\` does not exist in the sandbox`,
};
