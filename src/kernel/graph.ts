/** A node of a directed graph and the nodes that it needs. */
export interface GraphNode {
  readonly id: string;
  readonly needs: readonly string[];
}

/**
 * A cycle of the graph, as the path that returns to its beginning (`a → b → a`), or undefined. Needs that are no node are passed
 * over. Iterative: a chain of 2,000 would not fit on every stack.
 */
export function findCycle(nodes: readonly GraphNode[]): string[] | undefined {
  const needs = new Map(nodes.map(node => [node.id, node.needs]));
  const done = new Set<string>();
  for (const { id } of nodes) {
    const cycle = walkFrom(id, needs, done);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}

function walkFrom(start: string, needs: ReadonlyMap<string, readonly string[]>, done: Set<string>): string[] | undefined {
  const path: string[] = [];
  const onPath = new Set<string>();
  const stack: { id: string; leaving: boolean }[] = [{ id: start, leaving: false }];
  for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
    if (step.leaving) {
      path.pop();
      onPath.delete(step.id);
      done.add(step.id);
      continue;
    }
    if (onPath.has(step.id)) return [...path.slice(path.indexOf(step.id)), step.id];
    if (done.has(step.id)) continue;
    path.push(step.id);
    onPath.add(step.id);
    stack.push({ id: step.id, leaving: true });
    for (const need of needs.get(step.id) ?? []) if (needs.has(need)) stack.push({ id: need, leaving: false });
  }
  return undefined;
}

/**
 * For each node the number of nodes in the longest chain that waits for it, itself not counted: 0 for one that nobody needs.
 * The graph must have no cycle.
 */
export function chainLengths(nodes: readonly GraphNode[]): Map<string, number> {
  const dependants = new Map<string, string[]>(nodes.map(node => [node.id, []]));
  const open = new Map<string, number>(nodes.map(node => [node.id, 0]));
  for (const node of nodes) {
    for (const need of new Set(node.needs)) {
      dependants.get(need)?.push(node.id);
      if (open.has(need)) open.set(need, (open.get(need) ?? 0) + 1);
    }
  }
  const needs = new Map(nodes.map(node => [node.id, [...new Set(node.needs)]]));
  const length = new Map<string, number>();
  const settled = [...open].filter(([, count]) => count === 0).map(([id]) => id);
  // From the last nodes backwards: a node is settled when all that wait for it are.
  for (let id = settled.pop(); id !== undefined; id = settled.pop()) {
    const waiting = dependants.get(id) ?? [];
    length.set(
      id,
      waiting.reduce((longest, dependant) => Math.max(longest, 1 + (length.get(dependant) ?? 0)), 0),
    );
    for (const need of needs.get(id) ?? []) {
      const left = open.get(need);
      if (left === undefined) continue;
      open.set(need, left - 1);
      if (left === 1) settled.push(need);
    }
  }
  return length;
}

/** The longest chain, first to last: each needs the one before it. Of equal ones the first by id. */
export function longestChain(nodes: readonly GraphNode[]): string[] {
  const lengths = chainLengths(nodes);
  const dependants = new Map<string, string[]>();
  for (const { id, needs } of nodes) {
    for (const need of needs) {
      const waiting = dependants.get(need);
      if (waiting === undefined) dependants.set(need, [id]);
      else waiting.push(id);
    }
  }
  const chain: string[] = [];
  let next = first(
    nodes.map(node => node.id),
    lengths,
  );
  for (; next !== undefined; next = first(dependants.get(next) ?? [], lengths)) chain.push(next);
  return chain;
}

/** The one that most wait for; of equal ones the first by id. */
function first(ids: readonly string[], lengths: ReadonlyMap<string, number>): string | undefined {
  const length = (id: string) => lengths.get(id) ?? 0;
  let best = ids[0];
  for (const id of ids) {
    if (best === undefined || length(id) > length(best) || (length(id) === length(best) && id < best)) best = id;
  }
  return best;
}
