import { z } from 'zod';
import type { KeptSnapshot } from '../sandbox.ts';
import type { Layer } from './layer.ts';

/** What stands beside a layer that outlives its worker. */
const schema = z.strictObject({
  key: z.string(),
  exclude: z.string(),
  bytes: z.number().int().nonnegative(),
  /** Epoch milliseconds. */
  madeAtMs: z.number(),
});

interface Shelved {
  readonly key: string;
  readonly layer: Layer;
  readonly madeAtMs: number;
}

/** A key does not say all that a setup command has found: in the end it is run anew, by the first worker that starts after that. */
const ageMsMax = 7 * 24 * 3_600_000;

export function textOf({ key, layer: { exclude, bytes }, madeAtMs }: Shelved): string {
  return JSON.stringify({ key, exclude, bytes, madeAtMs } satisfies z.infer<typeof schema>);
}

/** Undefined for one that is no layer, or too old. */
export function shelvedOf({ snapshot, text }: KeptSnapshot, nowMs: number): Shelved | undefined {
  const told = schema.safeParse(parsed(text)).data;
  if (told === undefined || nowMs - told.madeAtMs > ageMsMax) return undefined;
  const { key, exclude, bytes, madeAtMs } = told;
  return { key, layer: { snapshot, exclude, bytes }, madeAtMs };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
