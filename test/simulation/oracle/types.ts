import type { RuleName } from './rules.ts';

/** A row as it was committed, by the names of its columns. */
export type Facts = Readonly<Record<string, unknown>>;

export interface RunFacts extends Facts {
  readonly id: string;
  readonly subject_type: string;
  readonly subject_id: string;
  readonly ticket_id: string | null;
  readonly project_id: string | null;
  readonly agent: string | null;
  readonly attempt: number;
  readonly state: string;
  readonly worker: string | null;
  readonly lease_token_hash: Buffer | null;
  readonly lease_expires_at: Date | null;
  readonly leased_at: Date | null;
  readonly due_at: Date | null;
  readonly failure_class: string | null;
  readonly resumed: boolean;
  readonly run_token_hash: Buffer | null;
  readonly halt: { readonly questionId?: string } | null;
  readonly template: string | null;
  readonly created_at: Date;
}

export interface TicketFacts extends Facts {
  readonly id: string;
  readonly type: string;
  readonly status: string;
  readonly attempts: number;
  readonly project_id: string;
  readonly session_id: string | null;
  readonly files: readonly string[];
  readonly observed: readonly string[];
}

export interface TrunkFacts extends Facts {
  readonly id: string;
  readonly state: string;
  readonly base_sha: string | null;
  readonly head_sha: string | null;
  readonly published_sha: string | null;
  readonly branch: string;
  readonly spec_id: string | null;
}

export interface ChangeFacts extends Facts {
  readonly id: string;
  readonly trunk_id: string;
  readonly ticket_id: string;
  readonly run_id: string;
  readonly state: string;
  readonly approval: string;
  readonly head_sha: string;
  readonly merge_sha: string | null;
}

export interface FactsOf {
  readonly runs: RunFacts;
  readonly tickets: TicketFacts;
  readonly trunks: TrunkFacts;
  readonly changes: ChangeFacts;
  readonly sessions: Facts & { readonly id: string; readonly state: string };
  readonly questions: Facts & {
    readonly id: string;
    readonly kind: string;
    readonly state: string;
    readonly ticket_id: string | null;
    readonly run_id: string | null;
    readonly text: string;
    readonly default_answer: string | null;
    readonly answer: string | null;
    readonly due_at: Date | null;
    readonly decided_at: Date | null;
  };
  readonly model_calls: Facts & {
    readonly id: string;
    readonly state: string;
    readonly run_id: string;
    readonly project_id: string;
    readonly ticket_id: string | null;
    readonly budget_ids: readonly string[];
    readonly reserved_microusd: number | string;
    readonly charged_microusd: number | string;
    readonly charged_tokens: number | string;
  };
  readonly budgets: Facts & {
    readonly id: string;
    readonly scope: string;
    readonly scope_id: string;
    readonly cap_microusd: number | string | null;
    readonly spent_microusd: number | string;
    readonly reserved_microusd: number | string;
  };
  readonly breakers: Facts & { readonly provider: string; readonly retry_at: Date | null };
  readonly reviews: Facts & { readonly id: string; readonly state: string };
  readonly specs: Facts & { readonly id: string; readonly status: string; readonly session_id: string };
  readonly brakes: Facts & { readonly state: string; readonly changed_at: Date };
  readonly run_limits: Facts & { readonly scope: string; readonly scope_id: string; readonly runs_max: number };
  readonly ticket_dependencies: Facts & { readonly ticket_id: string; readonly needs_id: string };
  readonly projects: Facts & { readonly id: string; readonly collisions: string };
  readonly blobs: Facts & { readonly run_id: string; readonly kind: string };
  readonly run_logs: Facts & { readonly run_id: string };
}

export type TableName = keyof FactsOf;

/** One row that a commit has changed. */
export interface Change<Table extends TableName = TableName> {
  readonly table: Table;
  readonly before: FactsOf[Table] | undefined;
  readonly after: FactsOf[Table] | undefined;
}

/** What one commit has done, and who spoke in it. */
export interface Commit {
  /** Milliseconds since the epoch, by the database's clock. */
  readonly at: number;
  /** The tokens that were said, by their hashes. */
  readonly spoken: ReadonlyMap<string, Spoken>;
  readonly changes: readonly Change[];
}

/** When a token was said first in a transaction, from which on its run is locked, and when last. */
export interface Spoken {
  readonly first: number;
  readonly last: number;
}

/** All rows as they are committed now. */
export interface Snapshot {
  all<Table extends TableName>(table: Table): readonly FactsOf[Table][];
}

/** A rule looks at each commit, and says what it must not have done. */
export interface Rule {
  look(commit: Commit, now: Snapshot): void;
}

/** Says that something happened that never must; the first one counts. */
export type Violate = (rule: RuleName, message: string) => void;

export function changesOf<Table extends TableName>({ changes }: Commit, table: Table): Change<Table>[] {
  return changes.filter((change): change is Change<Table> => change.table === table);
}

/** A row of a commit whose state has become another. */
export function becomes(
  change: { readonly before: Facts | undefined; readonly after: Facts | undefined },
  state: string,
): boolean {
  return change.after?.['state'] === state && change.before?.['state'] !== state;
}

const heldStates: ReadonlySet<string> = new Set(['leased', 'starting', 'working']);

export function isHeld(run: RunFacts | undefined): run is RunFacts {
  return run !== undefined && heldStates.has(run.state);
}

const liveStates: ReadonlySet<string> = new Set([...heldStates, 'queued', 'submitted', 'parked']);

export function isLive(run: RunFacts | undefined): run is RunFacts {
  return run !== undefined && liveStates.has(run.state);
}
