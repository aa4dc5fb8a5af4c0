import type { TestCounts } from '../../../../contract/reviews.ts';

export function countTests(output: string, { cut = false }: { readonly cut?: boolean } = {}): TestCounts | null {
  return cut && output === '' ? null : null;
}
