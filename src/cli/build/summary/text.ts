import type { Check } from '../../../../contract/projects.ts';
import type { WireReview } from '../../../../contract/reviews.ts';
import type { Output } from '../../context.ts';
import { fields } from '../../output/table.ts';
import { painted, printable, styled, tamedLog } from '../../output/text.ts';
import type { Commands } from '../commands.ts';
import { flagLines } from '../view/lines.ts';
import { tally } from '../view/frame.ts';
import { checkText, count, duration, isGreen, tail } from '../view/words.ts';
import { costFacts } from './costs.ts';
import { nextSteps } from './next.ts';
import type { Outcome } from './outcome.ts';

/** What a person reads at the end. */
export function summaryText(outcome: Outcome, out: Output, commands: Commands): string {
  return [
    styled(out, 'bold', headline(outcome)),
    fields(facts(outcome)),
    ...section(out, 'Refused', refusal(outcome)),
    ...section(out, 'Failed', failures(outcome, out)),
    ...section(out, 'Waiting for a person', waits(outcome, out)),
    ...section(out, 'Merged', logLines(outcome, out)),
    ...section(out, 'Next', nextSteps(outcome, commands)),
  ].join('\n');
}

function section(out: Output, title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', styled(out, 'bold', title), ...lines.map(line => `  ${line}`.trimEnd())];
}

function headline({ name, note, standing, rows, proof }: Outcome): string {
  const merged = rows.filter(({ status }) => status === 'completed').length;
  const of = `${merged} of ${count(rows.length, 'ticket')} merged`;
  const title = `${printable(name)}${note}`;
  switch (standing) {
    case 'completed':
      return `${title}: ${rows.length === 1 ? 'the ticket is' : `all ${rows.length} tickets are`} merged${proof === 'proven' ? ' and proven' : ', unproven'}`;
    case 'refused':
      return `${title}: not begun`;
    case 'waiting':
      return `${title}: waits for a person, ${of}`;
    case 'unpublished':
      return `${title}: ${of}, and the branch is not in the repository`;
    case 'rejected':
      return `${title}: ${of}, and a person has rejected the result`;
    case 'cancelled':
      return `${title}: cancelled, ${of}`;
    case 'failed':
      return `${title}: failed, ${of}`;
    default:
      return `${title}: interrupted, ${of}`;
  }
}

function facts({ rows, attempts, costs, checks, trunk, repository, isPublished, proof, elapsed, sessionId }: Outcome) {
  const runs = `${checks.isPartial ? 'at least ' : ''}${count(checks.runs, 'run')}, ${duration(checks.durationMs)}`;
  const tests = checks.testsPassed === undefined ? '' : `; ${count(checks.testsPassed, 'test')} passed at the end`;
  const commits = trunk?.merge_count ?? 0;
  const place = isPublished ? `in ${repository ?? 'no repository'}` : 'not in your repository yet';
  return [
    ['tickets', tally(rows)],
    ['attempts', attempts === 0 ? null : attempts],
    ...costFacts(costs),
    ['checks', checks.runs === 0 ? 'none ran' : `${runs}${tests}`],
    ['proof', proofText(proof, trunk?.checks ?? [])],
    ['branch', commits === 0 ? null : `${trunk?.branch} ${place}`],
    ['commits', commits === 0 ? null : `${count(commits, 'merge')} on ${trunk?.base_sha?.slice(0, 12) ?? ''}`],
    ['notes', trunk?.notes.join('\n')],
    ['session', sessionId.slice(0, 8)],
    ['time', duration(elapsed)],
  ] as const;
}

function proofText(proof: Outcome['proof'], checks: readonly Check[]): string | null {
  if (proof === null) return null;
  if (proof === 'proven') return 'proven: the checks were green on every merge';
  return checks.length === 0 ? 'unproven: there is no check' : 'unproven: work was merged that no check has run on';
}

const tailLines = 15;

function refusal({ standing, trunk, redBase }: Outcome): readonly string[] {
  if (standing !== 'refused' || trunk === undefined) return [];
  return [
    ...printable(trunk.reason ?? 'the repository cannot be built on', { keepNewlines: true }).split('\n'),
    ...(redBase === undefined ? [] : redLines(redBase, tailLines)),
    ...(trunk.hint === null ? [] : [`hint: ${printable(trunk.hint)}`]),
  ];
}

function redLines({ checks }: WireReview, linesMax: number): readonly string[] {
  return checks
    .filter(check => !isGreen(check))
    .flatMap(check => [checkText(check), ...tail(check.output_tail, linesMax).map(line => `| ${line}`)]);
}

/** Of many that fail the first tell what is wrong. */
const listedMax = 20;

function failures({ rows, redReviews }: Outcome, out: Output): readonly string[] {
  const failed = rows.filter(({ status }) => status === 'failed');
  const lines = failed.slice(0, listedMax).flatMap(({ id, title, reason }) => {
    const red = redReviews.get(id);
    const what = `${painted(out, 'failed', id)}  ${printable(title)}: ${printable(reason ?? 'failed')}`;
    return [what, ...(red === undefined ? [] : redLines(red, 8).map(line => `         ${line}`))];
  });
  return failed.length > listedMax ? [...lines, `… and ${failed.length - listedMax} more`] : lines;
}

function waits({ rows, flagged, questions }: Outcome, out: Output): readonly string[] {
  const waiting = rows.filter(({ status }) => status === 'waiting');
  const lines = waiting.slice(0, listedMax).flatMap(({ id, title, reason }) => {
    const flags = flagged.filter(({ ticket_id }) => ticket_id === id).flatMap(flagLines);
    const why = reason === null ? '' : `: ${printable(reason)}`;
    return [`${painted(out, 'waiting', id)}  ${printable(title)}${why}`, ...flags.map(line => `         - ${line}`)];
  });
  const rest = waiting.length > listedMax ? [`… and ${waiting.length - listedMax} more`] : [];
  return [
    ...lines,
    ...rest,
    ...questions.map(({ id, text }) => `${painted(out, 'waiting', id.slice(0, 8))}  ${printable(text)}`),
  ];
}

const logLinesMax = 30;

function logLines({ log }: Outcome, out: Output): readonly string[] {
  const shown = log.slice(0, logLinesMax).map(line => tamedLog(line));
  const left = log.length - shown.length;
  return left > 0 ? [...shown, styled(out, 'dim', `… and ${count(left, 'more line')}`)] : shown;
}
