import { expect, test } from 'vitest';
import { withLightSignals } from './signals.ts';

/** What somebody sees who uses signals as the product does. */
async function seen(): Promise<string[]> {
  const lines: string[] = [];
  const [one, other] = [new AbortController(), new AbortController()];
  const either = AbortSignal.any([one.signal, other.signal]);
  const never = () => lines.push('never');
  either.addEventListener('abort', () => lines.push(`either: ${String(either.reason)}`));
  other.signal.addEventListener('abort', () => lines.push('other'));
  other.signal.addEventListener('abort', never);
  other.signal.removeEventListener('abort', never);
  lines.push(String(either.aborted));
  other.abort(new Error('enough'));
  other.abort(new Error('again'));
  lines.push(`${one.signal.aborted} ${other.signal.aborted} ${either.aborted} ${String(other.signal.reason)}`);
  other.signal.addEventListener('abort', never);
  lines.push(String(AbortSignal.any([other.signal]).reason));
  one.abort();
  try {
    one.signal.throwIfAborted();
  } catch (error) {
    lines.push(String(error));
  }
  await Promise.resolve();
  return lines.toSorted();
}

test('light signals say what real ones say, and are gone afterwards', async () => {
  const before = [AbortController, AbortSignal];
  const real = await seen();
  expect(await withLightSignals(seen)).toEqual(real);
  expect(real).toContain('either: Error: enough');
  expect([AbortController, AbortSignal]).toEqual(before);
  await expect(withLightSignals(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect([AbortController, AbortSignal]).toEqual(before);
});
