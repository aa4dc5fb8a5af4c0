/** A span of time: months, days and milliseconds are kept apart, as PostgreSQL does. */
export class Interval {
  readonly months: number;
  readonly days: number;
  readonly ms: number;

  constructor(months: number, days: number, ms: number) {
    this.months = months;
    this.days = days;
    // PostgreSQL keeps microseconds.
    this.ms = Math.round(ms * 1000) / 1000;
  }

  plus(other: Interval): Interval {
    return new Interval(this.months + other.months, this.days + other.days, this.ms + other.ms);
  }

  times(factor: number): Interval {
    return new Interval(this.months * factor, this.days * factor, this.ms * factor);
  }

  /** As extract(epoch from …): a month has 30 days. */
  get totalMs(): number {
    return (this.months * 30 + this.days) * dayMs + this.ms;
  }

  after(date: Date): Date {
    if (this.months === 0) return new Date(date.getTime() + this.days * dayMs + this.ms);
    const moved = new Date(date);
    moved.setUTCMonth(moved.getUTCMonth() + this.months);
    return new Date(moved.getTime() + this.days * dayMs + this.ms);
  }

  toString(): string {
    return `${this.totalMs / 1000} seconds`;
  }
}

const dayMs = 86_400_000;
const hourMs = 3_600_000;

const units: readonly (readonly [RegExp, (n: number) => Interval])[] = [
  [/^(ms|msecs?|milliseconds?)$/, n => new Interval(0, 0, n)],
  [/^(s|secs?|seconds?)$/, n => new Interval(0, 0, n * 1000)],
  [/^(m|mins?|minutes?)$/, n => new Interval(0, 0, n * 60_000)],
  [/^(h|hours?)$/, n => new Interval(0, 0, n * hourMs)],
  [/^(d|days?)$/, n => new Interval(0, n, 0)],
  [/^weeks?$/, n => new Interval(0, n * 7, 0)],
  [/^(mons?|months?)$/, n => new Interval(n, 0, 0)],
  [/^years?$/, n => new Interval(n * 12, 0, 0)],
];

/** `1 day 2 hours`; undefined where it is none. */
export function parseInterval(text: string): Interval | undefined {
  const parts = [...text.trim().matchAll(/(-?\d+(?:\.\d+)?)\s*([a-z]+)\s*/g)];
  if (parts.map(part => part[0]).join('') !== text.trim()) return undefined;
  let sum = new Interval(0, 0, 0);
  for (const [, number, unit] of parts) {
    const made = units.find(([pattern]) => pattern.test(unit ?? ''))?.[1](Number(number));
    if (made === undefined) return undefined;
    sum = sum.plus(made);
  }
  return sum;
}
