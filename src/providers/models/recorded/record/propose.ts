/** What differs from run to run: times, durations, ids, addresses, folders that are made for one run. */
const volatile =
  /\d+(?:[.]\d+)?\s?(?:ms|s|sec|seconds|minutes|µs)\b|\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?\S*)?|\d\d:\d\d:\d\d\S*|\b(?=[0-9a-f]*\d)[0-9a-f]{7,}\b|\/(?:tmp|var|proc)\/\S*|:\d{4,5}\b|\d+[.]\d{2,}/g;

/** Lines that are about time alone, and what agents themselves put around an output. */
const tellsNothing =
  /\bduration(_ms)?[:=\s]+\d|wall time|^(chunk id|original token count|output:|process (exited|running) with)|\b(took|elapsed)\b/i;

const fragmentLengthMax = 120;
const outputLengthMax = 65_536;

/**
 * What the next run's output should contain too: the last line that is the same each time, else the longest part of a line
 * that is. Undefined where there is nothing that says anything. A proposal: a person knows better what matters.
 */
export function proposedExpectation(output: string): string | undefined {
  const lines = output
    .slice(-outputLengthMax)
    .split('\n')
    .map(line => line.trim())
    .filter(line => /[\p{L}\d]/u.test(line) && !tellsNothing.test(line))
    .reverse();
  const stable = lines.find(line => fragments(line).length === 1 && fragments(line)[0] === line);
  const found = stable ?? lines.map(longestFragment).find(fragment => /\p{L}{3,}/u.test(fragment));
  return found === undefined || found === '' ? undefined : found.slice(0, fragmentLengthMax).trimEnd();
}

function longestFragment(line: string): string {
  return fragments(line).reduce((longest, fragment) => (fragment.length > longest.length ? fragment : longest), '');
}

function fragments(line: string): string[] {
  return line
    .split(volatile)
    .map(fragment => fragment.trim())
    .filter(fragment => fragment !== '');
}
