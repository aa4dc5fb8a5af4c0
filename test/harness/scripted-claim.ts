import { createHash } from 'node:crypto';
import type { NetworkRule } from '../../contract/network/rules.ts';
import type { Agent, Check } from '../../contract/projects.ts';
import type { Feedback } from '../../contract/reviews.ts';
import type { AttemptEnd, RunLimits, RunPlan, RunTask } from '../../contract/runs.ts';
import type { IsolationLevel } from '../../contract/fleet/sandboxes.ts';

export interface QueuedTask {
  readonly subject?: 'ticket' | 'review' | 'conflict' | 'spec_phase' | 'diagnosis';
  /** A repository of this machine, which is served; where it is absent, one with an empty commit. */
  readonly repository?: string;
  /** HEAD of the repository when absent. */
  readonly commit?: string;
  readonly merge?: string;
  readonly checks?: readonly Check[];
  readonly feedback?: Feedback;
  readonly answers?: RunTask['answers'];
  readonly network?: readonly NetworkRule[];
  readonly setup?: readonly string[];
  /** What has landed. */
  readonly base?: string;
  /** The user's own commit from which all of it began. */
  readonly origin?: string;
  readonly specId?: string;
  readonly agent?: Agent | null;
  readonly limits?: Partial<RunLimits>;
  readonly leaseMs?: number;
  readonly ticketId?: string;
  readonly title?: string;
  readonly hasWork?: boolean;
  /** The attempt before, from whose work this one goes on. */
  readonly continues?: { readonly run_id: string; readonly conversation: boolean; readonly ended?: AttemptEnd };
  /** Of a spec phase. */
  readonly plan?: RunPlan;
  /** The least that its sandbox must give. */
  readonly isolation?: IsolationLevel;
}

interface ClaimedTask {
  readonly id: string;
  readonly ticketId: string;
  readonly state: string;
  readonly task: QueuedTask;
  readonly repository: string;
  readonly commit: string;
  readonly token: string | undefined;
  readonly fence: number;
}

const limits: RunLimits = {
  timeout_ms: 20_000,
  output_bytes_max: 1_000_000,
  bundle_bytes_max: 10_000_000,
  memory_bytes: 512 * 2 ** 20,
  process_count: 64,
  cpu_count: 2,
  tmp_bytes: 16 * 2 ** 20,
  workspace_bytes: 64 * 2 ** 20,
};

/** The answer to the claim of a run. */
export function claimOf(run: ClaimedTask) {
  const { task, id, ticketId, fence, commit, repository } = run;
  const type = task.subject ?? 'ticket';
  const at = new Date(0).toISOString();
  const none = '00000000-0000-4000-8000-000000000000';
  const leaseMs = task.leaseMs ?? 15_000;
  const agent = task.agent === undefined ? { kind: 'exec', command: ['./agent.sh'] } : task.agent;
  return {
    run: {
      ...{ id, subject_type: type, subject_id: ticketId, ticket_id: ticketId, attempt: 1, state: run.state, worker: 'w', fence },
      ...{
        lease_expires_at: at,
        failure_class: null,
        failure_message: null,
        result: null,
        project_id: none,
        health: 'ok',
        phase: null,
      },
      ...{ created_at: at, leased_at: at, started_at: null, ended_at: null },
    },
    subject: { type, id: ticketId },
    ticket: {
      ...{ id: ticketId, tenant_id: none, session_id: null, spec_id: task.specId ?? null, project_id: none, type: 'task' },
      ...{ title: task.title ?? 'Add a file', description: 'as you like', acceptance_criteria: ['it is there'] },
      ...{ status: 'claimed', status_reason: null, proof: null, parent_id: null, depends_on: [], priority: 0, estimate: null },
      ...{
        assigned_vm: null,
        branch_name: null,
        pr_url: null,
        files: [],
        observed: [],
        attempts: 1,
        created_at: at,
        updated_at: at,
      },
    },
    lease: { token: run.token ?? '', fence, expires_at: at, lease_ms: leaseMs, heartbeat_ms: Math.floor(leaseMs / 3) },
    project: {
      id: uuidOf(repository),
      name: 'demo',
      repository: task.repository ?? null,
      isolation: task.isolation ?? 'namespaces',
    },
    agent,
    limits: { ...limits, ...task.limits },
    task: {
      ...{ commit, object_format: commit.length === 64 ? 'sha256' : 'sha1', merge: task.merge ?? null },
      ...{ base: task.base ?? null, origin: task.origin ?? null },
      ...{
        checks: task.checks ?? [],
        feedback: task.feedback ?? null,
        ...(task.answers === undefined ? {} : { answers: task.answers }),
        plan: task.plan ?? null,
        has_work: task.hasWork ?? false,
        continues: task.continues === undefined ? null : { ended: 'broken_off', ...task.continues },
      },
    },
    network: task.network ?? [],
    setup: task.setup ?? null,
    gateway: { token: `skeprun_${run.token ?? ''}` },
  };
}

function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
