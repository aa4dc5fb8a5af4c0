import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chainLengths, findCycle, type GraphNode, longestChain } from './graph.ts';

/** Graphs of up to seven nodes with any edges, also doubled ones, ones to themselves, and needs that are no node. */
const anyGraph = fc
  .integer({ min: 0, max: 7 })
  .chain(count => fc.array(fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 4 }), { minLength: count, maxLength: count }))
  .map(needs => needs.map((of, i): GraphNode => ({ id: `n${i}`, needs: of.map(need => `n${need}`) })));

/** The same without a cycle: a node needs only earlier ones. The order of the list says nothing. */
const acyclicGraph = anyGraph.chain(nodes =>
  fc.shuffledSubarray(
    nodes.map((node, i) => ({
      ...node,
      needs: node.needs.filter(need => Number(need.slice(1)) < i || Number(need.slice(1)) >= nodes.length),
    })),
    { minLength: nodes.length },
  ),
);

/** All simple paths along needs, by trying every step. */
function allPaths(nodes: readonly GraphNode[]): string[][] {
  const needs = new Map(nodes.map(node => [node.id, node.needs]));
  const grow = (path: string[]): string[][] => [
    path,
    ...(needs.get(path.at(-1) ?? '') ?? [])
      .filter(need => needs.has(need) && !path.includes(need))
      .flatMap(need => grow([...path, need])),
  ];
  return nodes.flatMap(node => grow([node.id]));
}

const needsOf = (nodes: readonly GraphNode[], id: string | undefined) => nodes.find(node => node.id === id)?.needs ?? [];

describe('findCycle', () => {
  test('finds one exactly where trying every path does, and what it finds is one', () => {
    fc.assert(
      fc.property(anyGraph, nodes => {
        const exists = allPaths(nodes).some(path => needsOf(nodes, path.at(-1)).includes(path[0] ?? ''));
        const cycle = findCycle(nodes);
        expect(cycle !== undefined).toBe(exists);
        if (cycle === undefined) return;
        expect(cycle[0]).toBe(cycle.at(-1));
        expect(new Set(cycle).size).toBe(cycle.length - 1);
        for (const [i, id] of cycle.slice(0, -1).entries()) expect(needsOf(nodes, id)).toContain(cycle[i + 1]);
      }),
      { numRuns: 2_000 },
    );
  });

  test('names the path back to its beginning', () => {
    expect(findCycle([{ id: 'a', needs: ['a'] }])).toEqual(['a', 'a']);
    const nodes = [
      { id: 'a', needs: ['x', 'b'] },
      { id: 'b', needs: ['c'] },
      { id: 'c', needs: ['a'] },
    ];
    expect(findCycle(nodes)).toEqual(['a', 'b', 'c', 'a']);
  });
});

describe('chains', () => {
  test('are as long as the longest path that ends in the node, less itself', () => {
    fc.assert(
      fc.property(acyclicGraph, nodes => {
        const paths = allPaths(nodes);
        const lengths = chainLengths(nodes);
        expect(lengths.size).toBe(nodes.length);
        for (const { id } of nodes) {
          const longest = Math.max(...paths.filter(path => path.at(-1) === id).map(path => path.length - 1));
          expect([id, lengths.get(id)]).toEqual([id, longest]);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  test('the longest is a path, each needing the one before it, and none is longer', () => {
    fc.assert(
      fc.property(acyclicGraph, nodes => {
        const chain = longestChain(nodes);
        expect(chain.length).toBe(Math.max(0, ...allPaths(nodes).map(path => path.length)));
        for (const [i, id] of chain.slice(1).entries()) expect(needsOf(nodes, id)).toContain(chain[i]);
        expect(longestChain([...nodes].reverse())).toEqual(chain);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('100,000 nodes', () => {
  const count = 100_000;
  const chain = Array.from({ length: count }, (_, i): GraphNode => ({ id: `n${i}`, needs: i === 0 ? [] : [`n${i - 1}`] }));

  test('in one chain overflow no stack', () => {
    expect(findCycle(chain)).toBeUndefined();
    expect(chainLengths(chain).get('n0')).toBe(count - 1);
  });

  test('have a longest chain', () => {
    expect(longestChain(chain)).toHaveLength(count);
  });

  test('that all need one have a longest chain too', () => {
    const star = chain.map(({ id }): GraphNode => ({ id, needs: id === 'n0' ? [] : ['n0'] }));
    expect(longestChain(star)).toEqual(['n0', 'n1']);
  });

  test('in one ring are a cycle', () => {
    const ring = chain.map(node => (node.id === 'n0' ? { ...node, needs: [`n${count - 1}`] } : node));
    expect(findCycle(ring)).toHaveLength(count + 1);
  });
});
