import type { SpecCardInput } from '../../contract/spec-card.ts';

type Feature = SpecCardInput['features'][number];

/** For the ticket at a place, the places of those it waits for; always earlier ones. */
type Needs = (index: number, count: number) => readonly number[];

const MODULE = 9;

const shapes = {
  /** All can start at once. */
  loose: () => [],
  /** Each waits for the one before it. */
  chain: index => (index === 0 ? [] : [index - 1]),
  /** One, two beside each other, one that joins them, and again. */
  diamonds: index => {
    const place = index % 3;
    if (index === 0) return [];
    return place === 0 ? [index - 2, index - 1] : [index - place];
  },
  /** As many layers as each is wide; a ticket waits for three of the layer above. */
  layers: (index, count) => {
    const width = Math.ceil(Math.sqrt(count));
    const above = (Math.floor(index / width) - 1) * width;
    return above < 0 ? [] : [0, 1, 7].map(step => above + ((index + step) % width));
  },
  /** What a product looks like: one foundation, modules of nine on it (a diamond, then a fan), and one that joins the ends of twenty. */
  product: (index, count) => {
    if (index === 0) return [];
    const first = index - ((index - 1) % MODULE);
    if (index === count - 1) return ends(count);
    const place = index - first;
    return [[0], [first], [first], [first + 1, first + 2]][place] ?? [first + 3];
  },
} as const satisfies Record<string, Needs>;

export type Shape = keyof typeof shapes;
export const shapeNames = Object.keys(shapes) as Shape[];

/**
 * A card of `count` features in the given shape; the same for the same arguments. No feature says what to do: the agent
 * `stamper` does them all.
 */
export function cardOf(count: number, shape: Shape): SpecCardInput {
  const needs: Needs = shapes[shape];
  const title = (index: number) => `Part ${String(index + 1).padStart(3, '0')}`;
  const features = Array.from({ length: count }, (_, index): Feature => {
    const names = [...new Set(needs(index, count))].map(title);
    return { title: title(index), description: `Write down that ${title(index)} is done.`, depends_on: names };
  });
  return { name: `${count} parts as ${shape}`, description: `A graph in the shape of ${shape}`, features };
}

function ends(count: number): number[] {
  const lasts = Array.from({ length: 20 }, (_, i) => 5 + i * MODULE);
  const inside = lasts.filter(last => last < count - 1);
  return inside.length === 0 ? [count - 2] : inside;
}
