/** What a benchmark gives: one line of its table. */
export interface Figure {
  readonly name: string;
  readonly unit: string;
  /** Of the rounds. */
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
  readonly goal?: Goal;
}

export interface Goal {
  readonly is: 'at least' | 'at most';
  readonly value: number;
}

export interface Bench {
  readonly name: string;
  /** What is measured, in a sentence. */
  readonly about: string;
  run(stage: Stage): Promise<readonly Figure[]>;
}

/** What a benchmark works with. */
export interface Stage {
  /** Called back at the end, last first, also after a failure or Ctrl-C: whatever is started must be stopped by one of these. */
  atEnd(stop: () => Promise<unknown>): void;
  /** One line for the person who waits. */
  say(line: string): void;
  /** Version of the PostgreSQL that was measured, for the record. */
  measuredOn(postgres: string): void;
}

/** The median and the range of what the rounds gave. */
export function figure(name: string, unit: string, { values, goal }: { values: readonly number[]; goal?: Goal }): Figure {
  return {
    name,
    unit,
    median: quantile(values, 0.5),
    min: Math.min(...values),
    max: Math.max(...values),
    rounds: values.length,
    ...(goal === undefined ? {} : { goal }),
  };
}

/** p50 and p99 of each round, as two figures; `goal` is the p50's. */
export function latency(name: string, { rounds, goal }: { rounds: readonly (readonly number[])[]; goal?: Goal }): Figure[] {
  const of = (share: number) => rounds.map(values => quantile(values, share));
  return [
    figure(`${name}, p50`, 'ms', { values: of(0.5), ...(goal === undefined ? {} : { goal }) }),
    figure(`${name}, p99`, 'ms', { values: of(0.99) }),
  ];
}

/** The smallest value that is not below this share of the values; of an even number the median is the lower of the two. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** How many of `work` end in a second, when each of `lanes` begins the next as soon as its last has ended. */
export async function rate(
  count: number,
  lanes: number,
  work: (lane: number, turn: number) => Promise<unknown>,
): Promise<number> {
  let begun = 0;
  const from = performance.now();
  async function lane(number: number): Promise<void> {
    while (begun < count) await work(number, begun++);
  }
  await Promise.all(Array.from({ length: lanes }, (_, number) => lane(number)));
  return (count * 1_000) / (performance.now() - from);
}
