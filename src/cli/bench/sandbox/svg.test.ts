import { describe, expect, it } from 'vitest';
import { picture } from './svg.ts';

const ways = [
  { name: 'plain <&> "quoted"', isOurs: false, startMs: [1, 2, 4, 8] },
  { name: 'Skep, cold', isOurs: true, startMs: [10, 100, 1_000] },
];

/** Of the dots, left to right as they were measured. */
function dots(svg: string): number[] {
  return [...svg.matchAll(/<circle class="dot" cx="([\d.]+)"/g)].map(([, x]) => Number(x));
}

describe('the picture', () => {
  const svg = picture(ways, 'A <title>');

  it('has a dot for each start, on a logarithmic scale', () => {
    const [one = 0, two = 0, four = 0, eight = 0, ten = 0, hundred = 0, thousand = 0] = dots(svg);
    expect(dots(svg)).toHaveLength(7);
    expect(four - two).toBeCloseTo(two - one, 0);
    expect(eight - four).toBeCloseTo(two - one, 0);
    expect(hundred - ten).toBeCloseTo(thousand - hundred, 0);
  });

  it('stays within its frame, also where all took as long', () => {
    for (const startMs of [[5], [0.001, 1_000_000], [1, 1]]) {
      const drawn = picture([{ name: 'one', isOurs: true, startMs }], 'x');
      expect(dots(drawn).every(x => x >= 250 && x <= 804)).toBe(true);
      expect(drawn).not.toMatch(/NaN|Infinity/);
    }
  });

  it('takes names as text, tells the medians, and has colours for light and dark', () => {
    expect(svg).toContain('plain &lt;&amp;&gt; &quot;quoted&quot;');
    expect(svg).toContain('<title>A &lt;title&gt;</title>');
    expect(svg).toContain('>100 ms</text>');
    expect(svg).toContain('prefers-color-scheme:dark');
    expect(svg.match(/<g class="ours">/g)).toHaveLength(1);
  });
});
