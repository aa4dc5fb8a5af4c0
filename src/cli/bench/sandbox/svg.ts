import { quantile } from './ways/timing.ts';
import { shownMs } from './report.ts';
import type { Measured } from './ways/index.ts';

/**
 * How long each start took, on a logarithmic scale: a dot for each, and over them a box from the first to the third quarter with the
 * median in it. Readable in light and dark: it brings its own colours for both.
 */
export function picture(ways: readonly Pick<Measured, 'name' | 'isOurs' | 'startMs'>[], title: string): string {
  const all = ways.flatMap(({ startMs }) => startMs);
  const low = 10 ** Math.floor(Math.log10(Math.max(0.01, Math.min(...all))));
  const high = 10 ** Math.ceil(Math.log10(Math.max(low * 10, ...all) * 1.0001));
  const at = (ms: number) => left + ((Math.log10(Math.max(low, ms)) - Math.log10(low)) / Math.log10(high / low)) * plot;
  const height = top + ways.length * row + bottom;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${style}</style>`,
    `<rect class="ground" width="${width}" height="${height}"/>`,
    `<text class="ink" x="16" y="26" font-size="16" font-weight="600">${escaped(title)}</text>`,
    `<text class="dim" x="16" y="44">${escaped(subtitle)}</text>`,
    ...scale(low, high).map(tick => grid(tick, at(tick.ms), height)),
    ...ways.map((way, i) => strip(way, { at, y: top + i * row + row / 2 })),
    '</svg>',
    '',
  ].join('\n');
}

const subtitle = 'one after another, from asking to the first instruction; dot: a start, box: the middle half, line: the median';
const [width, left, right, top, row, bottom] = [900, 250, 96, 66, 34, 34];
const plot = width - left - right;

const style = `
.ground{fill:#fff}.ink{fill:#1c2128}.dim{fill:#59636e}.grid{stroke:#d8dee4}.fine{stroke:#eef1f4}
.dot{fill:#59636e;fill-opacity:.35}.box{fill:#59636e;fill-opacity:.18;stroke:#59636e}.mid{stroke:#1c2128;stroke-width:2.5}
.ours .dot{fill:#b35900}.ours .box{fill:#b35900;stroke:#b35900}
@media (prefers-color-scheme:dark){.ground{fill:#0d1117}.ink{fill:#e6edf3}.dim{fill:#9198a1}.grid{stroke:#30363d}.fine{stroke:#1c2128}
.dot{fill:#9198a1}.box{fill:#9198a1;stroke:#9198a1}.mid{stroke:#e6edf3}.ours .dot{fill:#f0a040}.ours .box{fill:#f0a040;stroke:#f0a040}}
`;

interface Tick {
  readonly ms: number;
  readonly isDecade: boolean;
}

function scale(low: number, high: number): Tick[] {
  const ticks: Tick[] = [];
  for (let decade = low; decade <= high * 1.0001; decade *= 10) {
    for (const part of [1, 2, 3, 4, 5, 6, 7, 8, 9])
      if (decade * part <= high * 1.0001) ticks.push({ ms: decade * part, isDecade: part === 1 });
  }
  return ticks;
}

function grid({ ms, isDecade }: Tick, x: number, height: number): string {
  const line = `<line class="${isDecade ? 'grid' : 'fine'}" x1="${n(x)}" x2="${n(x)}" y1="${top - 6}" y2="${height - bottom + 4}"/>`;
  if (!isDecade) return line;
  return `${line}<text class="dim" x="${n(x)}" y="${height - 12}" text-anchor="middle">${ms >= 1_000 ? `${ms / 1_000} s` : `${Number(ms.toPrecision(2))} ms`}</text>`;
}

interface Where {
  readonly at: (ms: number) => number;
  readonly y: number;
}

function strip({ name, isOurs, startMs }: Pick<Measured, 'name' | 'isOurs' | 'startMs'>, { at, y }: Where): string {
  const [first, middle, third] = [0.25, 0.5, 0.75].map(share => at(quantile(startMs, share))) as [number, number, number];
  // Spread by their order, the same at each drawing, so that dots in one place can be told apart.
  const dots = startMs.map(
    (ms, i) => `<circle class="dot" cx="${n(at(ms))}" cy="${n(y + (((i * 7) % 13) - 6) * 1.4)}" r="2.2"/>`,
  );
  return [
    `<g${isOurs ? ' class="ours"' : ''}>`,
    `<text class="ink" x="${left - 14}" y="${n(y + 4.5)}" text-anchor="end"${isOurs ? ' font-weight="600"' : ''}>${escaped(name)}</text>`,
    ...dots,
    `<rect class="box" x="${n(first)}" y="${n(y - 9)}" width="${n(Math.max(1, third - first))}" height="18" rx="2"/>`,
    `<line class="mid" x1="${n(middle)}" x2="${n(middle)}" y1="${n(y - 11)}" y2="${n(y + 11)}"/>`,
    `<text class="ink" x="${width - 16}" y="${n(y + 4.5)}" text-anchor="end">${shownMs(quantile(startMs, 0.5))}</text>`,
    '</g>',
  ].join('');
}

function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
