import { z } from 'zod';
import { branch, commit, cursor, id, pageLimit, sha256, text, time } from './fields.ts';
import { agent, check, checksMax, modelName, setup } from './projects.ts';
import { checkEvidence, feedback } from './reviews.ts';
import { networkRules } from './network/rules.ts';
import { isolationLevels } from './fleet/sandboxes.ts';
import { templateTools } from './templates/document.ts';
import { ticket } from './tickets.ts';

export const runStates = [
  'queued',
  'leased',
  'starting',
  'working',
  'submitted',
  'accepted',
  'returned',
  'failed',
  'lost',
  'parked',
  'cancelled',
] as const;
export const subjectTypes = ['ticket', 'spec_phase', 'review', 'conflict', 'diagnosis'] as const;

/**
 * Why a run failed; what is done about each stands in src/stages/runs/model/retry.ts, and in docs/recovery.md. `agent_died`: a signal
 * that Skep did not send ended the agent; `unresponsive`: its sandbox did nothing any more; `stopped`: the worker was stopped and hands
 * it back; `provider`: no model provider answered; `quota`: the provider says that its limit is used up; `network`: the worker could
 * not reach what it needs; `setup`: the project's own setup command did not end well; `model`: there is no such model, or no key for it; `blocked`: the agent says that it cannot go on;
 * `limit`: it has asked its model as often, or for as many tokens, as its template allows.
 */
export const failureClasses = [
  'agent_failed',
  'agent_died',
  'agent_missing',
  'unresponsive',
  'stopped',
  'timeout',
  'output_limit',
  'out_of_memory',
  'no_changes',
  'sandbox',
  'repository',
  'network',
  'setup',
  'invalid_task',
  'provider',
  'quota',
  'model',
  'blocked',
  'limit',
] as const;

/** How regularly a held run is heard of: one heartbeat missed, two; after the third it is lost. */
export const runHealths = ['ok', 'late', 'degraded'] as const;

/** What stands in the way of a run while it still runs; it decides what the end of the run means. */
const haltKinds = ['budget', 'question', 'recording', 'model', 'blocked', 'recovery', 'limit', 'unfinished'] as const;
/** Of these a run is parked with its work until somebody has decided; the others fail it. */
const parkingKinds = ['budget', 'question'] as const satisfies readonly (typeof haltKinds)[number][];

/** Phases of a spec that are worked on as runs. */
export const planningPhases = ['CLARIFY', 'REQUIREMENTS', 'DESIGN', 'TASKS'] as const;

/** Whatever a body can hold; it is looked at by who knows what it should be. */
const anyJson = z.unknown() as z.ZodType<z.core.util.JSONType>;

/** The lease token: names the holder in every later write. */
const token = z.string().min(1).max(200).meta({ description: 'lease.token of the claim' });
export const workerName = z.string().trim().min(1).max(200);

export const runResult = z
  .strictObject({
    summary: text.default(''),
    base: commit.optional().meta({ description: 'The commit that the work started from' }),
    head: commit.optional(),
    branch: branch.optional(),
    bundle: sha256.optional().meta({ description: 'The blob of an uploaded git bundle' }),
    checks: z
      .array(checkEvidence)
      .max(checksMax)
      .optional()
      .meta({ description: 'Of a review: how each check ended, in the order of the task' }),
    output: z.record(z.string(), anyJson).optional().meta({ description: 'Of a spec phase: what was planned' }),
  })
  .meta({ id: 'RunResult' });

export const runLimits = z
  .object({
    timeout_ms: z.number().int(),
    output_bytes_max: z.number().int(),
    bundle_bytes_max: z.number().int(),
    memory_bytes: z.number().int(),
    process_count: z.number().int(),
    cpu_count: z.number(),
    tmp_bytes: z.number().int(),
    workspace_bytes: z.number().int(),
  })
  .meta({ id: 'RunLimits' });

export const run = z
  .object({
    id,
    subject_type: z.enum(subjectTypes),
    subject_id: z.string(),
    ticket_id: z.string().nullable().meta({ description: 'On whose behalf it runs' }),
    project_id: id.nullable(),
    template: z
      .string()
      .nullable()
      .default(null)
      .meta({ description: 'name@version of the template by which it is worked on; null: by the agent of its project' }),
    fallback_of: z
      .string()
      .nullable()
      .default(null)
      .meta({ description: 'The version in whose place that stands, as its model did not answer' }),
    attempt: z.number().int(),
    state: z.enum(runStates),
    worker: z.string().nullable(),
    fence: z.number().int().nullable(),
    lease_expires_at: time.nullable(),
    health: z.enum(runHealths),
    phase: z.string().nullable().meta({ description: 'What its holder is doing, such as prepare_sandbox or stream' }),
    failure_class: z.string().nullable(),
    failure_message: z.string().nullable(),
    result: runResult.nullable(),
    report: z
      .object({ status: z.enum(['done', 'partial']), summary: z.string(), files: z.array(z.string()) })
      .nullable()
      .optional()
      .meta({ description: 'What the agent says of its work: a claim, which Skep checks by itself' }),
    created_at: time,
    leased_at: time.nullable(),
    started_at: time.nullable(),
    ended_at: time.nullable(),
  })
  .meta({ id: 'Run' });

const lease = z
  .object({
    token: z.string(),
    fence: z.number().int(),
    expires_at: time,
    lease_ms: z.number().int(),
    heartbeat_ms: z.number().int(),
  })
  .meta({ id: 'Lease' });

export const claim = z.strictObject({
  worker: workerName,
  capabilities: z.array(z.string().min(1).max(100)).max(100).default(['agent:exec', 'isolation:namespaces']).meta({
    description:
      'agent:<kind> for tickets; checks for reviews; conflicts, beside its agent, for conflicts; plan for planning; isolation:<level>, each that its sandboxes give, for projects that ask for it',
  }),
  wait_ms: z.number().int().min(0).max(60_000).default(0).meta({ description: 'How long to wait for work before 204' }),
  ticket_id: z.string().max(20).optional().meta({ description: 'Take the run of this ticket only' }),
});

/** How the attempt ended from which another goes on: broken off, parked until a person had decided, or handed in and sent back. */
export const attemptEnds = ['broken_off', 'answered', 'returned'] as const;

/** What the holder of a run is to do with which commit. */
export const task = z
  .object({
    commit: commit.meta({ description: 'What to check out; fetch it from /api/runs/:id/repository' }),
    object_format: z.enum(['sha1', 'sha256']),
    merge: commit
      .nullable()
      .meta({ description: 'Of a conflict: the commit to be merged in, whose conflicts the agent resolves' }),
    base: commit.nullable().optional().meta({
      description:
        'What has landed and the commit is to be merged into: nothing of an attempt is in it. Fetched from the same place',
    }),
    origin: commit.nullable().optional().meta({
      description:
        "The user's own commit from which the work of its spec began: no agent has written in it. Fetched from the same place",
    }),
    checks: z.array(check).meta({ description: 'Of a review: what to run, in this order' }),
    feedback: feedback.nullable().meta({ description: 'What was wrong with the last attempt, which this one goes on from' }),
    continues: z
      .object({
        run_id: id,
        conversation: z.boolean().meta({ description: 'Its artifact `conversation` is there to be gone on with' }),
        ended: z
          .enum(attemptEnds)
          .default('broken_off')
          .meta({ description: 'It broke off; was parked until a person had decided; was handed in and sent back' }),
      })
      .nullable()
      .meta({ description: 'The attempt before, from whose work this one goes on' }),
    has_work: z.boolean().optional().meta({
      description: 'The commit holds work of an attempt that broke off: whoever finds nothing to add hands it in as it is',
    }),
    answers: z
      .array(z.object({ question: z.string(), answer: z.string().nullable(), is_default: z.boolean() }))
      .optional()
      .meta({ description: 'What attempts at it have asked people, and what holds; null: nobody has answered in time' }),
    plan: z
      .object({ phase: z.enum(planningPhases), input: z.record(z.string(), anyJson), model: modelName })
      .nullable()
      .meta({ description: 'Of a spec phase: what to plan, from what, with which model' }),
  })
  .meta({ id: 'RunTask' });
export const claimed = z
  .object({
    run,
    subject: z.object({ type: z.enum(subjectTypes), id: z.string() }),
    ticket: ticket.nullable(),
    lease,
    project: z.object({
      id,
      name: z.string(),
      repository: z.string().nullable(),
      isolation: z.enum(isolationLevels).meta({ description: 'The least that its sandbox must give' }),
    }),
    agent: agent.nullable(),
    template: z
      .object({ id: z.string(), prompt: z.string(), tools: templateTools.default(null) })
      .nullable()
      .default(null)
      .meta({
        description:
          "By which it is worked on: its agent and its limits stand here, its prompt is told to the agent, and tools are those of Skep's that it has, null: all",
      }),
    network: networkRules.default([]),
    setup: setup.default(null),
    limits: runLimits,
    task,
    gateway: z
      .object({ token: z.string() })
      .meta({ description: 'Opens /gateway for the sandbox of this run, and nothing else, while the lease lives' }),
  })
  .meta({ id: 'Claimed' });

export const heartbeat = z.strictObject({
  run_id: id,
  token,
  state: z
    .enum(['starting', 'working', 'ended'])
    .optional()
    .meta({ description: 'How far the run has come; `ended`: its agent has, and is asked after its last answer' }),
  sandbox: z.string().max(200).optional(),
});
const halt = z.object({ kind: z.enum(haltKinds), message: z.string(), question_id: id.optional() }).meta({ id: 'Halt' });
export const heartbeatAnswer = z.object({
  run,
  lease: lease.omit({ token: true }),
  halt: halt.nullable().meta({ description: 'Why the run cannot go on; `budget`, `question`: hand in what there is with /park' }),
});

export const complete = z.strictObject({ run_id: id, token, result: runResult.prefault({}) });
/** The run stops here until a person has decided; `result` is the work so far. */
export const park = z.strictObject({ run_id: id, token, result: runResult.prefault({}) });
export const fail = z.strictObject({
  run_id: id,
  token,
  class: z.enum(failureClasses).default('agent_failed'),
  message: z.string().max(4_000).default(''),
  result: runResult.optional().meta({ description: 'What there is of the work: the next attempt goes on from its bundle' }),
});
/** Of a run: whatever its holder wants kept, by name. `conversation` is what an agent needs to go on with its own. */
const artifactName = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'an artifact is named like conversation or report.xml');
export const conversationArtifact = 'conversation';
export const artifactsMax = 50;
const artifact = z
  .object({ name: artifactName, blob: sha256, size: z.number().int(), created_at: time })
  .meta({ id: 'Artifact' });
export const artifactList = z.object({ artifacts: z.array(artifact) });
export const artifactPlace = z.object({ id, name: artifactName });

export const runAnswer = z.object({ run });

/** One run as GET /api/runs/:id shows it. */
export const runDetail = run
  .extend({
    due_at: time.meta({ description: 'Until then a run that is queued waits' }),
    aged_at: time.nullable().meta({ description: 'Since then it goes first, as it has waited so long' }),
    continues: id.nullable().meta({ description: 'The run that broke off, from whose work this one goes on' }),
    transcript_events: z.number().int().default(0).meta({
      description: 'What GET /api/runs/:id/transcript has of it; 0 where its agent tells no events, as `exec` does not',
    }),
  })
  .meta({ id: 'RunDetail' });

export const runFilter = z.object({
  state: z.enum(runStates).optional(),
  ticket_id: z.string().max(20).optional(),
  worker: workerName.optional(),
  project_id: id.optional(),
  health: z.enum(runHealths).optional().meta({ description: 'Only runs that are held, and of them those' }),
  after: cursor.optional(),
  limit: pageLimit,
});
export const runList = z.object({ runs: z.array(run), next: cursor.nullable() });

export const leaseHeader = 'skep-lease';
export const logAppend = z.object({ offset: z.coerce.number().int().min(0) });
export const logAppended = z.object({ size: z.number().int().meta({ description: 'Bytes stored so far' }) });
export const logChunkBytesMax = 1_048_576;
export const logRead = z.object({ offset: z.coerce.number().int().min(0).default(0) });
export const runReport = z.strictObject({
  token,
  type: z.string().min(1).max(100),
  payload: z.record(z.string(), z.unknown()).default({}),
});
export const blobStored = z.object({ blob: sha256, size: z.number().int() });
/** Work that a dead worker left on its machine; it is kept, and changes nothing. */
export const rescuePlace = z.object({
  fence: z.coerce.number().int().positive(),
  artifact: z.literal(conversationArtifact).optional().meta({ description: 'Not the work, but this artifact' }),
});
/** The holder with this fence is known to be dead. */
export const bury = z.strictObject({ fence: z.number().int().positive() });

export type Halt = z.infer<typeof halt>;
export type ParkingKind = (typeof parkingKinds)[number];
export type AttemptEnd = (typeof attemptEnds)[number];
export type RunTask = z.infer<typeof task>;
export type RunPlan = NonNullable<RunTask['plan']>;
export type RunResult = z.infer<typeof runResult>;
export type RunLimits = z.infer<typeof runLimits>;
export type FailureClass = (typeof failureClasses)[number];
export type WireRun = z.infer<typeof run>;
export type WireRunDetail = z.infer<typeof runDetail>;
export type Claimed = z.infer<typeof claimed>;

export function isParking(kind: Halt['kind'] | undefined): kind is ParkingKind {
  return (parkingKinds as readonly (string | undefined)[]).includes(kind);
}
