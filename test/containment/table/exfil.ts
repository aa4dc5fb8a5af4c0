import { rows } from './row.ts';
import type { Row } from './row.ts';

const exfil = rows('exfil', 'S27, S28');
const byPlatform = { guard: 'platform' } as const;
const byNobody = { guard: 'nobody' } as const;

/** Where exfil.py says it, and where it is found again afterwards. */
const carried: readonly (readonly [attempt: string, channels: readonly string[], found: readonly string[]])[] = [
  ['its run token printed, in capitals, in hex, in base64, in two pieces', ['printed', 'printed in two pieces'], ['nowhere']],
  ['its run token in what it thinks, says, calls and is answered, also in hex and base64', ['told'], ['nowhere']],
  ['its run token in the words of its failure, also in hex and base64', ['failure'], ['nowhere']],
  ['its run token in what it reports to be remembered', ['reported'], ['nowhere']],
  ['its run token in the summary of its result', ['result'], ['nowhere']],
  ['its run token in the name of a host that is refused', ['refused'], ['nowhere']],
  ['its run token in the name of a branch and of a tag', ['branch', 'tag'], ['nowhere']],
  ['its run token in the message of a commit', ['message'], ['the work']],
  ['its run token as the author of a commit', ['author'], ['the work']],
  ['its run token in a file', ['file'], ['the work']],
  ['its run token in the name of a file', ['name'], ['the work, what is kept']],
  ['its run token in reverse, printed', ['printed in reverse'], ['what is kept']],
  ['its run token in hex, in what it reports to be remembered', ['reported in hex'], ['what is kept']],
  ['its run token in path, query, header and body to a host that is allowed', ['path', 'query', 'header', 'body'], ['the host']],
];

/** The ways of exfil.py, by attempt. */
export const channelsOf: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  carried.map(([attempt, channels]) => [attempt, channels]),
);

export const carriedRows: readonly Row[] = carried.flatMap(([attempt, , found]) =>
  exfil(found, [attempt], found.includes('nowhere') ? byPlatform : byNobody),
);

/** What the run token is worth to who has it, and where a token is tried that is none. */
export const worthRows: readonly Row[] = [
  ...exfil(['200'], ['a stolen run token at the gateway, while the run lives'], byNobody),
  ...exfil(
    ['401'],
    [
      'a stolen run token at any other part of the server, while the run lives',
      'a stolen run token at the gateway, when the run is over',
      'the key of another account at the gateway',
    ],
    byPlatform,
  ),
];
