import type { SessionUpdate } from '../../agent.ts';
import { maskOf } from '../../egress/plain/mask.ts';
import type { Started } from '../run.ts';

/** Deeper inputs of tools are told no further. */
const depthMax = 32;

/**
 * Takes out of what an agent tells whatever it should not know or must not say: the tokens of its run, and the keys that this worker
 * adds to its calls. A secret that the agent has put into other letters is not recognised.
 */
export function secretsOf({ claimed, tools }: Pick<Started, 'claimed' | 'tools'>): (update: SessionUpdate) => SessionUpdate {
  const masks = [...(tools.network?.credentials.values() ?? [])].map(({ value }) => maskOf(value));
  const text = (words: string): string =>
    masks.reduce(
      (left, mask) => mask.text(left),
      words.replaceAll(claimed.gateway.token, '[run token]').replaceAll(claimed.lease.token, '[lease token]'),
    );
  return update =>
    Object.fromEntries(
      Object.entries(update).map(([name, value]) => [name, said.has(name) ? withTexts(value, text, 0) : value]),
    ) as unknown as SessionUpdate;
}

/** What is in an agent's own words; the rest are ours. */
const said: ReadonlySet<string> = new Set(['text', 'toolCallId', 'title', 'input', 'output', 'path']);

/** The same with every text in it changed, and every name of a field. */
function withTexts(value: unknown, change: (text: string) => string, depth: number): unknown {
  if (typeof value === 'string') return change(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth >= depthMax) return '…';
  if (Array.isArray(value)) return value.map(each => withTexts(each, change, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [change(name), withTexts(each, change, depth + 1)]));
}
