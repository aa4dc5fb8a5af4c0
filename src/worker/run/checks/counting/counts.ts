import type { TestCounts } from '../../../../../contract/reviews.ts';

/** Counts of one run of a runner; `unknown` where what was cut off belongs to them. */
export type Counted = readonly TestCounts[] | 'unknown';

/** Some runners count one test twice, as failed and as skipped, or its parts: the parts never exceed the total. */
export function countsOf({ total, failed, skipped }: Omit<TestCounts, 'passed'>): TestCounts {
  const red = Math.max(0, Math.min(failed, total));
  const left = Math.min(skipped, total - red);
  return { total, passed: total - red - left, failed: red, skipped: left };
}
