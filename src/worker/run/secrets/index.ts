import type { Claimed } from '../../../../contract/runs.ts';
import { storable } from '../../../kernel/json.ts';
import type { Credentials } from '../../egress/credentials.ts';
import { maskOfAll, secretsIn } from '../../egress/plain/mask.ts';
import type { Veil } from '../../egress/plain/mask.ts';
import { formsOf } from './forms.ts';

/** Deeper texts are told no further. */
const depthMax = 32;

/**
 * Takes out of what is kept of a run whatever its programs should not know or must not say: the tokens of the run, also in the letters
 * of base64 and hex, and the keys that this worker adds to calls. In other letters, or in pieces, a secret is not recognised.
 */
export interface Secrets {
  /** As it is stored: what no database keeps is taken out before, or a secret would come to light by that. */
  text(words: string): string;
  /** The same object without them in what others have said; the words in it that are ours stay. */
  outOf<T extends object>(told: T): T;
  /** For what programs print; as many asterisks are put in their place. */
  veil(): Veil;
}

interface Held {
  readonly claimed: Claimed;
  readonly tools: { readonly network?: { readonly credentials: Credentials } | undefined };
}

export function secretsOf({ claimed, tools }: Held): Secrets {
  const run = formsOf(claimed.gateway.token);
  const lease = claimed.lease.token;
  // A planner reaches no network, and so no key; in its plan a short one may be a word like any other.
  const credentials = claimed.subject.type === 'spec_phase' ? [] : [...(tools.network?.credentials.values() ?? [])];
  const keys = credentials.flatMap(({ value }) => secretsIn(value));
  const keyMask = maskOfAll(keys);
  const mask = maskOfAll([...run, lease, ...keys]);

  function text(words: string): string {
    const left = run.reduce((each, form) => each.replaceAll(form, '[run token]'), storable(words));
    return keyMask.text(left.replaceAll(lease, '[lease token]'));
  }

  function outOf(value: unknown, depth = 0): unknown {
    if (typeof value !== 'object' || value === null || depth >= depthMax) return value;
    if (Array.isArray(value)) return value.map(each => outOf(each, depth + 1));
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, said.has(name) ? withTexts(each, text, 0) : outOf(each, depth + 1)]),
    );
  }

  return { text, outOf: told => outOf(told) as typeof told, veil: mask.open };
}

/** What is in others' own words. */
const said: ReadonlySet<string> = new Set([
  // Of what an agent tells.
  ...['text', 'toolCallId', 'title', 'input', 'output', 'path'],
  // Of a result, a failure and an event.
  ...['summary', 'output_tail', 'message', 'stop_reason', 'host', 'method'],
]);

/** The same with every text in it changed, and every name of a field. */
function withTexts(value: unknown, change: (text: string) => string, depth: number): unknown {
  if (typeof value === 'string') return change(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= depthMax) return '…';
  if (Array.isArray(value)) return value.map(each => withTexts(each, change, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [change(name), withTexts(each, change, depth + 1)]));
}
