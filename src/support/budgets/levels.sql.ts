/** Shares of a cap, in percent, at which somebody is told. */
const levelPercents = { spent: 100, alerted: 95, warned: 80 } as const;

interface Counters {
  readonly microusd: string;
  readonly tokens: string;
}

/** The level of a budget `b` that has spent these SQL expressions. Nothing spent is `ok`, also of a cap of 0. */
export function levelOf({ microusd, tokens }: Counters): string {
  const reached = (percent: number) =>
    [
      [microusd, 'b.cap_microusd'],
      [tokens, 'b.cap_tokens'],
    ]
      .map(([spent, cap]) => `(${spent}) > 0 and (${spent}) * 100 >= ${cap} * ${percent}`)
      .join(' or ');
  const cases = Object.entries(levelPercents).map(([level, percent]) => `when ${reached(percent)} then '${level}'`);
  return `case ${cases.join(' ')} else 'ok' end`;
}

const rank = (level: string) => `array_position(array['ok', 'warned', 'alerted', 'spent'], ${level})`;

/** The higher of two levels: one that was told is not told again when a call gives back what it did not need. */
export const higher = (one: string, other: string) => `case when ${rank(one)} >= ${rank(other)} then ${one} else ${other} end`;
export const lower = (one: string, other: string) => `case when ${rank(one)} <= ${rank(other)} then ${one} else ${other} end`;
