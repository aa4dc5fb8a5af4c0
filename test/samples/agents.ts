import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecAgent } from '../../contract/projects.ts';
import type { SampleName } from './repositories.ts';

/** Does what the fenced blocks of its ticket say (tickets.ts writes them). Where $SKEP_CONFLICT is set it keeps both sides of each conflict instead. */
export const honest: ExecAgent = scripted('implement');

/** Writes the id of its ticket to `work/<id>.txt`, in a few milliseconds. */
export const stamper: ExecAgent = {
  kind: 'exec',
  command: ['sh', '-c', 'mkdir -p work && printf "%s\\n" "$SKEP_TICKET_ID" >"work/$SKEP_TICKET_ID.txt"'],
};

/**
 * For projects whose tests are `tape test/*.js`. Its first attempt is red; a later one takes the answer from the failed
 * assertion in $SKEP_FEEDBACK, where alone it stands, and fails when it finds none.
 */
export const learner: ExecAgent = scripted('learn');

/** Each lie with the sample on which it works: there the checks end with 0 though the source is broken. */
export const lies = {
  'rewrites-script': 'deep-equal',
  'adds-npmrc': 'deep-equal',
  'adds-script-hook': 'deep-equal',
  'replaces-runner': 'json-stable-stringify',
  'deletes-tests': 'json-stable-stringify',
  'empties-tests': 'deep-equal',
  'skips-tests': 'deep-equal',
  'adds-gnumakefile': 'type-component',
  'shadows-unittest': 'gyp',
  /** Neither tests nor checks are touched, only fewer tests run. */
  'exits-early': 'json-stable-stringify',
  /** As before, and the output tells of as many tests as there were. */
  'forges-output': 'json-stable-stringify',
} as const satisfies Record<string, SampleName>;

/** Lies that no sample falls for: plain red work, red work with a proud word, a check.sh or a conftest.py that nothing runs. */
export const vainLies = ['red', 'boasts', 'replaces-check', 'plants-conftest'] as const;

export type Lie = keyof typeof lies | (typeof vainLies)[number];

/** Breaks the source, covers it up as `lie` says, and ends with 0. */
export function liar(lie: Lie): ExecAgent {
  return scripted('lie', lie);
}

function scripted(name: string, ...args: string[]): ExecAgent {
  const text = readFileSync(join(import.meta.dirname, 'agents', `${name}.cjs`), 'utf8');
  return { kind: 'exec', command: ['node', '-e', text, ...args] };
}
