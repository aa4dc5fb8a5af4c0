import { hashSecret } from '../../../src/kernel/secret.ts';
import { createGraph } from '../world/git/graph.ts';
import { optionsOf } from '../world/options.ts';
import { beginning } from '../world/scheduler.ts';
import { keyOf } from './claims.ts';
import { createOracle, type Oracle } from './index.ts';
import type { Change, Commit, Facts, RunFacts, Snapshot, TableName, TicketFacts } from './types.ts';

const settings = { ...optionsOf(1).settings, leaseMs: 1_000, attemptsMax: 2, restartsMax: 1 };

/** A hand-made history: each step is a commit at a time, with the rows that it changes and the tokens that are said. */
export interface Bench {
  readonly oracle: Oracle;
  readonly graph: ReturnType<typeof createGraph>;
  commit(at: number, said: readonly string[], ...changes: readonly (readonly [TableName, string, Facts | undefined])[]): void;
  rule(): string | undefined;
}

export function bench(): Bench {
  let now = 0;
  const graph = createGraph();
  const scheduler = { now: () => beginning + now, stop: () => {} };
  const oracle = createOracle({ scheduler, graph, options: { settings, hasChecks: true } });
  const rows = new Map<TableName, Map<string, Facts>>();
  const snapshot: Snapshot = { all: table => [...(rows.get(table)?.values() ?? [])] as never };
  return {
    oracle,
    graph,
    commit(at, said, ...changed) {
      now = at;
      const changes = changed.map(([table, id, facts]) => {
        const of = rows.get(table) ?? new Map<string, Facts>();
        rows.set(table, of);
        const before = of.get(id);
        const after = facts === undefined ? undefined : { ...before, ...facts, id };
        if (after !== undefined) of.set(id, after);
        return { table, before, after } as Change;
      });
      const spoken = new Map(said.map(token => [keyOf(hashSecret(token)), { first: at, last: at }]));
      const commit: Commit = { at, spoken, changes };
      oracle.look(commit, snapshot);
    },
    rule: () => oracle.violation()?.rule,
  };
}

export const queued: Partial<RunFacts> = {
  ...{ subject_type: 'ticket', subject_id: 'T', ticket_id: 'T', project_id: 'p', agent: 'exec', attempt: 1, state: 'queued' },
  ...{
    worker: null,
    lease_token_hash: null,
    lease_expires_at: null,
    leased_at: null,
    due_at: new Date(0),
    failure_class: null,
    resumed: false,
  },
};
export const leased = (token: string, at: number): Partial<RunFacts> => ({
  ...{
    state: 'leased',
    worker: 'w',
    lease_token_hash: hashSecret(token),
    lease_expires_at: new Date(at + 1_000),
    leased_at: new Date(at),
  },
});
export const ticket: Partial<TicketFacts> = {
  ...{ type: 'task', status: 'ready', attempts: 0, project_id: 'p', session_id: null, files: [], observed: [] },
};
export const claimed = (attempts: number): Facts => ({ status: 'claimed', attempts });
