import type { CheckEvidence, Feedback, Flag } from '../../../../contract/reviews.ts';
import { oneLine, plainText } from './plain-text.ts';
import { isGreen, tellEnding } from './verdict.ts';

export interface Reviewed {
  /** Counts from 1. */
  readonly round: number;
  readonly checks: readonly CheckEvidence[];
  /** What a person said who looked at the flags and sent the work back. */
  readonly rejection?: { readonly reason: string; readonly flags: readonly Flag[] };
}

const outputCharactersMax = 4_000;
const outputsCharactersMax = 60_000;
const reasonCharactersMax = 4_000;

/**
 * What the next attempt is told of the last: in `text` for the agent to read, at most about 100,000 characters, and as evidence,
 * where green checks come without their output.
 */
export function feedbackOf({ round, checks, rejection }: Reviewed): Feedback {
  const red = checks.filter(check => !isGreen(check));
  const charactersMax = Math.min(outputCharactersMax, Math.floor(outputsCharactersMax / Math.max(1, red.length)));
  const parts = [
    headline(round, red.length, rejection !== undefined),
    ...(rejection === undefined ? [] : [tellRejection(rejection)]),
    ...red.map(check => tellCheck(check, charactersMax)),
  ];
  return {
    round,
    text: parts.join('\n\n'),
    checks: checks.map(check => ({
      ...check,
      output_tail: isGreen(check) ? '' : lastLines(check.output_tail, charactersMax),
    })),
  };
}

function headline(round: number, red: number, isRejected: boolean): string {
  const what = red === 1 ? 'a check is red' : `${red} checks are red`;
  if (red > 0) return `Review round ${round}: the work needs more work, ${what}.`;
  return isRejected
    ? `Review round ${round}: the checks are green, and a person sent the work back.`
    : `Review round ${round}: the checks are green.`;
}

function tellRejection({ reason, flags }: { readonly reason: string; readonly flags: readonly Flag[] }): string {
  const why = plainText(reason).trim().slice(0, reasonCharactersMax);
  const said = `The person's reason: ${why === '' ? 'none was given' : why}`;
  if (flags.length === 0) return said;
  return [said, '', 'What the person was asked to look at:', ...flags.map(({ what }) => `- ${oneLine(what, 500)}`)].join('\n');
}

function tellCheck(check: CheckEvidence, charactersMax: number): string {
  const counts = check.tests;
  const tests = counts === null ? '' : ` Of ${counts.total} tests ${counts.failed} failed and ${counts.skipped} were skipped.`;
  const output = lastLines(setOff(plainText(check.output_tail)), charactersMax);
  // A line whose head was cut lost what sets it off.
  const end = output === '' ? 'It printed nothing.' : `The end of what it printed:\n\n${output.replace(/^(?! {4})/, '    ')}`;
  return `${tellEnding(check)}.${tests} ${end}`;
}

/** So that nothing that a program prints reads like a word of the review. */
function setOff(text: string): string {
  return text.replace(/^(?=.)/gm, '    ');
}

/** Whole lines from the end while they fit; a single line that doesn't is cut at its head. */
function lastLines(output: string, charactersMax: number): string {
  const text = plainText(output).trimEnd();
  if (text.length <= charactersMax) return text.replace(/^\n+/, '');
  const tail = text.slice(-charactersMax);
  const start = tail.indexOf('\n');
  // Not in the middle of a letter of two halves.
  return (start < 0 ? tail : tail.slice(start + 1)).replace(/^[\udc00-\udfff]/, '');
}
