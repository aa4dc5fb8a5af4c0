import type { WireChange } from '../../../../contract/changes.ts';
import type { WireQuestion } from '../../../../contract/talk/questions.ts';
import type { WireReview } from '../../../../contract/reviews.ts';
import type { WireTrunk } from '../../../../contract/trunks.ts';
import type { Output } from '../../context.ts';
import { shortId } from '../../input/id.ts';
import { painted, printable, styled } from '../../output/text.ts';
import type { Move } from '../follow/board.ts';
import type { News } from '../follow/news.ts';
import { checkText, clockText, count, duration, isGreen, statusWord, tail } from './words.ts';

/** What happened, in whole lines; none where it is not worth one. `elapsed` in milliseconds since the build began. */
export function newsLines(news: News, { out, elapsed }: { out: Output; elapsed: number }): readonly string[] {
  const [first, ...more] = said(news, out);
  if (first === undefined) return [];
  return [`${styled(out, 'dim', clockText(elapsed).padStart(6))}  ${first}`, ...more.map(line => `${' '.repeat(8)}${line}`)];
}

function said(news: News, out: Output): readonly string[] {
  switch (news.kind) {
    case 'ticket':
      return moveLines(news, out);
    case 'review':
      return reviewLines(news.review, out);
    case 'change':
      return changeLines(news.change, out);
    case 'trunk':
      return trunkLines(news.trunk, out);
    case 'question':
      return questionLines(news.question, out);
    default:
      return [printable(news.text)];
  }
}

function entry(subject: string, word: string, text: string): string {
  return `${subject.padEnd(8)}  ${word}  ${text}`.trimEnd();
}

const wordWidth = 9;

function moveLines({ row, from, at }: Move, out: Output): readonly string[] {
  const { id, status, begun } = row;
  // Its turn has come, and it is claimed in a moment.
  if (status === 'claimed' || status === 'pending' || status === 'blocked' || (status === 'ready' && quiet.has(from))) return [];
  const word = status === 'ready' ? 'sent back' : statusWord(row);
  const took = begun === undefined ? '' : `, ${duration(at - begun)}`;
  const line = (text: string) => [entry(id, painted(out, status, word.padEnd(wordWidth)), text)];
  const title = printable(row.title);
  switch (status) {
    case 'running':
      return line(row.attempts > 1 ? `${title}, attempt ${row.attempts}` : title);
    case 'completed':
      return line(`${title}${took}${row.proof === 'unproven' ? ', unproven' : ''}`);
    case 'ready':
    case 'failed':
    case 'waiting':
    case 'cancelled':
      return line(`${title}${row.reason === null ? '' : `: ${printable(row.reason)}`}`);
    default:
      return line(`${title}${took}`);
  }
}

const quiet: ReadonlySet<string> = new Set(['pending', 'blocked', 'ready', 'claimed']);
const tailLines = 8;

function reviewLines(review: WireReview, out: Output): readonly string[] {
  const { kind, ticket_id, state, checks, reason } = review;
  const subject = ticket_id ?? 'base';
  const again = kind === 'merge' ? ' (again, merged with what landed meanwhile)' : '';
  if (checks.length === 0) return state === 'passed' ? [] : [entry(subject, mark(out, false), printable(reason ?? state))];
  return checks.flatMap(check => [
    entry(subject, mark(out, isGreen(check)), `${checkText(check)}${again}`),
    ...(isGreen(check) ? [] : tail(check.output_tail, tailLines).map(line => styled(out, 'dim', `| ${line}`))),
  ]);
}

function mark(out: Output, isGood: boolean): string {
  const word = (isGood ? 'check' : 'red check').padEnd(wordWidth);
  return isGood ? word : styled(out, 'red', word);
}

function changeLines(change: WireChange, out: Output): readonly string[] {
  const { ticket_id, state, conflict_files, flags } = change;
  if (state === 'conflict') {
    const where = conflict_files.length === 0 ? '' : ` in ${conflict_files.map(file => printable(file)).join(', ')}`;
    return [entry(ticket_id, styled(out, 'yellow', 'conflict '), `with what was merged meanwhile${where}; an agent resolves it`)];
  }
  const word = styled(out, 'yellow', 'flagged  ');
  return [
    entry(ticket_id, word, `waits for approval: ${count(flags.length, 'flag')}`),
    ...flagLines(change).map(line => `- ${line}`),
  ];
}

function questionLines({ id, ticket_id, text, state }: WireQuestion, out: Output): readonly string[] {
  if (state !== 'pending') return [];
  const [first = '', ...more] = printable(text, { keepNewlines: true }).split('\n');
  const how = styled(out, 'dim', `answer: skep question answer ${shortId(id)} …`);
  return [entry(ticket_id ?? 'budget', styled(out, 'yellow', 'question '), first), ...more, how];
}

/** What each says names its path. */
export function flagLines({ flags }: Pick<WireChange, 'flags'>): readonly string[] {
  return flags.map(({ what }) => printable(what));
}

function trunkLines(trunk: WireTrunk, out: Output): readonly string[] {
  const base = trunk.base_sha?.slice(0, 12) ?? '';
  const line = (word: string, text: string) => entry('base', word.padEnd(wordWidth), text);
  if (trunk.state === 'preparing') return [line('looking', 'at the repository')];
  if (trunk.state === 'checking') return [line('checking', `${base}, before any agent runs`)];
  if (trunk.state === 'refused') return [entry('base', styled(out, 'red', 'refused  '), printable(trunk.reason ?? ''))];
  if (trunk.publish_error !== null)
    return [
      entry(
        'branch',
        styled(out, 'red', 'not yet  '),
        `${trunk.branch} is not in the repository: ${printable(trunk.publish_error)}`,
      ),
    ];
  if (trunk.published_sha !== null)
    return [entry('branch', styled(out, 'green', 'published'), `${trunk.branch} at ${trunk.published_sha.slice(0, 12)}`)];
  return [line('ready', base)];
}
