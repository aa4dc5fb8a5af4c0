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
  const placeOf = new Map(nodes.map(({ id }, place) => [id, place]));
  const needs = nodes.map(node => node.needs.map(need => placeOf.get(need)).filter(place => place !== undefined));
  const length = nodes.map(() => 0);
  /** How many that wait for it are not settled. */
  const open = nodes.map(() => 0);
  for (const places of needs) for (const need of places) open[need] = (open[need] ?? 0) + 1;
  const settled = [...open.keys()].filter(place => open[place] === 0);
  // From the last nodes backwards: a node is settled when all that wait for it are.
  for (let place = settled.pop(); place !== undefined; place = settled.pop()) {
    for (const need of needs[place] ?? []) {
      length[need] = Math.max(length[need] ?? 0, 1 + (length[place] ?? 0));
      const left = (open[need] ?? 0) - 1;
      open[need] = left;
      if (left === 0) settled.push(need);
    }
  }
  return new Map(nodes.map(({ id }, place) => [id, length[place] ?? 0]));
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
