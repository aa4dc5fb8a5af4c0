import type { CheckEvidence } from '../../../../contract/reviews.ts';
import { printable } from '../../output/text.ts';
import type { LiveRun, Row, TicketStatus } from '../follow/board.ts';

/** What a person is told of a status: `completed` is said of tickets, and what it means is that the work is merged. */
const words: Readonly<Record<TicketStatus, string>> = {
  pending: 'blocked',
  blocked: 'blocked',
  ready: 'queued',
  claimed: 'starting',
  running: 'working',
  verifying: 'checking',
  merging: 'merging',
  completed: 'merged',
  waiting: 'waiting',
  failed: 'failed',
  cancelled: 'cancelled',
};

export function statusWord({ status, run }: Pick<Row, 'status' | 'run'>): string {
  return run?.kind === 'conflict' ? 'conflict' : words[status];
}

export function runWord({ kind }: LiveRun): string {
  if (kind === 'review') return 'checks';
  return kind === 'conflict' ? 'agent, on a conflict' : 'agent';
}

/** `40 ms`, `7.2 s`, `1:05`, `2:03:04`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 0.1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : clockText(ms);
}

/** `0:07`, `1:05`, `2:03:04`. */
export function clockText(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** `about 20 s`: rounded as one rounds what one guesses. */
export function roughly(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000));
  if (seconds < 10) return 'a few seconds';
  if (seconds < 55) return `about ${Math.round(seconds / 5) * 5} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `about ${minutes} min`;
  return `about ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

export function isGreen({ outcome, exit_code }: Pick<CheckEvidence, 'outcome' | 'exit_code'>): boolean {
  return outcome === 'exited' && exit_code === 0;
}

type Ended = Pick<CheckEvidence, 'name' | 'outcome' | 'exit_code' | 'duration_ms' | 'tests' | 'flaky'>;

/** `npm test passed, 12 tests, 3.2 s` */
export function checkText(check: Ended): string {
  const { name, tests, duration_ms, flaky } = check;
  const facts = [
    `${printable(name)} ${isGreen(check) ? 'passed' : howItEnded(check)}`,
    ...(tests === null
      ? []
      : [tests.failed > 0 ? `${tests.failed} of ${count(tests.total, 'test')} failed` : count(tests.total, 'test')]),
    ...(flaky ? ['only when run again'] : []),
    duration(duration_ms),
  ];
  return facts.join(', ');
}

function howItEnded({ outcome, exit_code }: Ended): string {
  switch (outcome) {
    case 'exited':
      return `failed with exit code ${exit_code ?? '?'}`;
    case 'signaled':
      return 'was ended by a signal';
    case 'timeout':
      return 'ran out of time';
    case 'output_limit':
      return 'wrote too much';
    case 'workspace_full':
      return 'filled the workspace';
    case 'out_of_memory':
      return 'ran out of memory';
    default:
      return 'could not be started';
  }
}

/** The last lines of what a check printed, without what would steer a terminal. */
export function tail(text: string, linesMax: number): readonly string[] {
  const lines = text
    .split('\n')
    .map(line => printable(line).trimEnd())
    .filter(line => line !== '');
  return lines.slice(-linesMax);
}
