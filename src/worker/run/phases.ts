import type { Halt, RunResult } from '../../../contract/runs.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { isFault } from '../../kernel/fault.ts';
import { runFailure } from '../failure.ts';
import { openGateway } from '../gateway/index.ts';
import type { Gateway } from '../gateway/index.ts';
import { probeReportBack } from '../gateway/probe.ts';
import type { Sandbox } from '../sandbox.ts';
import { runAgent } from './agent.ts';
import { runChecks, summaryOf } from './checks/index.ts';
import { openNameless } from './files.ts';
import type { NamelessFile } from './files.ts';
import { collect } from './git/collect.ts';
import { beginMerge } from './git/merge.ts';
import type { Conflict } from './git/merge.ts';
import { haltOf } from './halt.ts';
import { planPhase } from './planning/index.ts';
import { runOf } from './run.ts';
import type { Run, Started } from './run.ts';
import { taskOf } from './task.ts';
import type { Task } from './task.ts';
import { inWorkspace } from './workspace.ts';

/** What the server was told. Parked: the run stops here, with the work so far, until a person has decided. */
export type HandedIn =
  | { readonly kind: 'submitted'; readonly result: RunResult }
  | { readonly kind: 'parked'; readonly result: RunResult; readonly halt: Halt };

/** The life of a run, top to bottom. Throws what ended it; the sandbox is torn down in every case. */
export async function carryOut(started: Started): Promise<HandedIn> {
  await started.lease.confirmed();
  const run = runOf(started);
  const { type } = run.claimed.subject;
  if (type === 'review') return review(run);
  if (type === 'ticket' || type === 'conflict') return work(run);
  if (type === 'spec_phase') return plan(run);
  throw runFailure('invalid_task', `This worker knows no runs of a ${type}`);
}

/** An agent's work on a ticket, or on the conflicts of what it has done with what others have. */
async function work(run: Run): Promise<HandedIn> {
  const task = taskOf(run.claimed, run.tools.agents);
  const needs = await task.agent.needs(task.settings);
  if (needs.kind === 'missing') throw runFailure('agent_missing', needs.message);
  if (needs.reports === true) await probeReportBack(run.claimed, { ...run.tools, signal: run.signal });
  const gateway = needs.gateway ? await openGateway(run.claimed, run.tools) : undefined;
  const folders = [...needs.folders, ...(gateway?.folders ?? [])];
  const bundle = openNameless(run.tools.folder);
  try {
    const place = { branch: task.branch, files: task.files, folders, links: gateway?.links ?? [] };
    return await inWorkspace(run, place, sandbox => workIn(run, { sandbox, task, bundle, gateway }));
  } finally {
    gateway?.close();
    bundle.close();
  }
}

interface Parts {
  readonly sandbox: Sandbox;
  readonly task: Task;
  readonly bundle: NamelessFile;
  /** Undefined for an agent that needs none. */
  readonly gateway: Gateway | undefined;
}

async function workIn(run: Run, parts: Parts): Promise<HandedIn> {
  const { sandbox } = parts;
  const { commit: base, merge } = run.claimed.task;
  const conflict = merge === null ? undefined : await beginMerge(sandbox, { ours: base, theirs: merge, signal: run.signal });

  if (conflict?.files.length !== 0) {
    run.phase('start_agent');
    const halt = await haltAfter(run, parts, conflict);
    if (halt !== undefined) return park(run, { halt, result: await whatThereIs(run, parts, conflict) });
  }

  return submit(run, await collected(run, parts, conflict));
}

/**
 * Lets the agent work. What the server knows to stand in the way of the run decides, whatever the agent says of its end. Returns
 * that of which the run is parked; throws a run failure for all else.
 */
async function haltAfter(run: Run, parts: Parts, conflict: Conflict | undefined): Promise<Halt | undefined> {
  const onStart = (): void => run.phase('stream');
  const failed = await runAgent(run, { ...parts, conflict, onStart }).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  run.signal.throwIfAborted();
  const halt = parts.gateway === undefined ? undefined : await haltOf(run);
  if (halt?.kind === 'budget') return halt;
  if (halt !== undefined) throw runFailure(halt.kind === 'blocked' ? 'blocked' : 'model', halt.message);
  if (failed !== undefined) throw failed.error;
  return undefined;
}

/** Brings the work to the server. */
async function collected(run: Run, { sandbox, task, bundle }: Parts, conflict: Conflict | undefined): Promise<RunResult> {
  const { claimed, tools, lease, signal } = run;
  const base = claimed.task.commit;
  run.phase('collect');
  const { branch, commitMessage: message } = task;
  const bundleBytesMax = claimed.limits.bundle_bytes_max;
  const { head, summary } = await collect({ sandbox, branch, base, conflict, message, bundle, bundleBytesMax, signal });

  run.phase('submit');
  const blob = await lease.send((key, call) => tools.protocol.putBundle(key, bundle.descriptor, call));
  return { summary, base, head, branch, bundle: blob };
}

/** The same of an agent that was stopped on the way: it may have changed nothing, or have left what can't be collected. */
async function whatThereIs(run: Run, parts: Parts, conflict: Conflict | undefined): Promise<RunResult> {
  try {
    return await collected(run, parts, conflict);
  } catch (error) {
    run.signal.throwIfAborted();
    if (!isFault(error) || error.facts['class'] === undefined) throw error;
    run.tools.log.debug({ why: error.message }, 'a run is parked without work');
    return { summary: '' };
  }
}

/** No agent: a model's answer for one phase of a spec. */
async function plan(run: Run): Promise<HandedIn> {
  const planned = await planPhase(run);
  run.phase('submit');
  return planned.halt === undefined ? submit(run, planned.result) : park(run, { halt: planned.halt, result: { summary: '' } });
}

/** No agent: the checks of the task on its commit. */
async function review(run: Run): Promise<HandedIn> {
  return inWorkspace(run, { branch: 'skep/review', files: [] }, async (sandbox, checkOutAgain) => {
    run.phase('run_checks');
    const checks = await runChecks(run, sandbox, checkOutAgain);

    run.phase('submit');
    return submit(run, { summary: summaryOf(checks), checks });
  });
}

async function submit({ tools, lease, reports, signal }: Run, result: RunResult): Promise<HandedIn> {
  await reports.sent();
  signal.throwIfAborted();
  await lease.sendLast((key, call) => {
    // Whoever stops here believes that the lease is held: the server alone can refuse what comes after.
    failpoint('before-complete');
    return tools.protocol.complete(key, result, call);
  });
  return { kind: 'submitted', result };
}

async function park(
  { tools, lease, reports, signal }: Run,
  { result, halt }: { result: RunResult; halt: Halt },
): Promise<HandedIn> {
  await reports.sent();
  signal.throwIfAborted();
  await lease.sendLast((key, call) => tools.protocol.park(key, result, call));
  return { kind: 'parked', result, halt };
}
