import { type Halt, isParking, type RunResult } from '../../../contract/runs.ts';
import { suffices } from '../../../contract/fleet/sandboxes.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { failureOf, runFailure } from '../failure.ts';
import { probeReportBack } from '../gateway/probe.ts';
import { runAgent, withWords } from './agent.ts';
import { runChecks, summaryOf } from './checks/index.ts';
import { classOf, haltOf } from './ending/halt.ts';
import { openNameless } from './files.ts';
import { beginMerge } from './git/merge.ts';
import { openSource } from './git/source.ts';
import type { Source } from './git/source.ts';
import { planPhase } from './planning/index.ts';
import { runOf } from './run.ts';
import type { Run, Started } from './run.ts';
import { restoreConversation, saveConversation } from './saving/conversation.ts';
import { unfinishedWork } from './saving/unfinished.ts';
import { bringWork, whatThereIs } from './saving/work.ts';
import type { Work } from './saving/work.ts';
import { taskOf } from './task.ts';
import { openWays } from './ways.ts';
import type { Ways } from './ways.ts';
import { inWorkspace } from './workspace.ts';

/** What the server was told. Parked: the run stops here, with the work so far, until a person has decided. */
export type HandedIn =
  | { readonly kind: 'submitted'; readonly result: RunResult }
  | { readonly kind: 'parked'; readonly result: RunResult; readonly halt: Halt };

/** An agent's work that `error` broke off, and what there is of it on the server. */
export interface BrokenOff {
  readonly kind: 'broken_off';
  readonly error: unknown;
  readonly result: RunResult | undefined;
}

/** The life of a run, top to bottom. Throws what else ended it; the sandbox is torn down in every case. */
export async function carryOut(started: Started): Promise<HandedIn | BrokenOff> {
  // All that comes until it is checked out needs nothing of it, and takes as long.
  const source = openSource(started);
  try {
    await started.lease.confirmed();
    return await carryOutOn(runOf(started), source);
  } finally {
    await source.close();
  }
}

async function carryOutOn(run: Run, source: Source): Promise<HandedIn | BrokenOff> {
  requireIsolation(run);
  const { type } = run.claimed.subject;
  if (type === 'review') return review(run, source);
  if (type === 'ticket' || type === 'conflict') return work(run, source);
  if (type === 'spec_phase') return plan(run, source);
  throw runFailure('invalid_task', `This worker knows no runs of a ${type}`);
}

/** The server gives a run only to who offers what it needs; a worker that trusted that alone would be led by a mistake there. */
function requireIsolation({ claimed: { project }, tools: { worth } }: Run): void {
  if (suffices(worth.isolation, project.isolation)) return;
  throw runFailure(
    'sandbox',
    `The project '${project.name}' accepts sandboxes of isolation ${project.isolation} or more; those of this worker (${worth.kind}) give ${worth.isolation}`,
  );
}

/** An agent's work on a ticket, or on the conflicts of what it has done with what others have. */
async function work(run: Run, source: Source): Promise<HandedIn | BrokenOff> {
  const task = taskOf(run.claimed, run.tools.agents);
  const needs = await task.agent.needs(task.settings);
  if (needs.kind === 'missing') throw runFailure('agent_missing', needs.message);
  if (needs.reports === true) await probeReportBack(run.claimed, { ...run.tools, signal: run.signal });
  const ways = await openWays(run, { gateway: needs.gateway, network: true });
  const folders = [...needs.folders, ...ways.folders];
  const bundle = openNameless(run.tools.folder);
  try {
    const keeps = needs.keeps === true;
    const place = { source, branch: task.branch, files: task.files, folders, keeps, links: ways.links, hasSetup: true };
    // Of a merge it is not known yet whether there is anything to do.
    const onMade = run.claimed.task.merge === null ? ways.prepare : undefined;
    return await inWorkspace(run, { ...place, onMade }, sandbox => workIn(run, { sandbox, task, bundle, keeps, ways }));
  } finally {
    ways.close();
    bundle.close();
  }
}

interface Parts extends Omit<Work, 'conflict'> {
  readonly ways: Ways;
}

async function workIn(run: Run, { ways, ...place }: Parts): Promise<HandedIn | BrokenOff> {
  const { sandbox } = place;
  const { commit: base, merge } = run.claimed.task;
  const conflict = merge === null ? undefined : await beginMerge(sandbox, { ours: base, theirs: merge, signal: run.signal });
  const work = { ...place, conflict };

  let words: Buffer | undefined;
  if (conflict?.files.length !== 0) {
    run.phase('start_agent');
    const kept = place.keeps ? await restoreConversation(run, sandbox) : [];
    const after = await afterAgent(run, work, { ways, kept });
    ways.sumUp();
    if ('error' in after) return { kind: 'broken_off', error: after.error, result: await unfinishedWork(run, work, after.error) };
    if ('halt' in after) return parkWith(run, work, after.halt);
    words = after.words;
  }

  const result = await bringWork(run, work).catch((error: unknown) => {
    throw tellingWhy(error, words);
  });
  // What a review finds wrong is told to who has done it.
  if (place.keeps && conflict === undefined) await saveConversation(run, place.sandbox);
  return submit(run, result);
}

async function parkWith(run: Run, work: Work, halt: Halt): Promise<HandedIn> {
  const result = await whatThereIs(run, work);
  if (work.keeps) await saveConversation(run, work.sandbox);
  return park(run, { halt, result });
}

interface GivenToAgent {
  readonly ways: Ways;
  readonly kept: readonly string[];
}

/** An agent that has done nothing may have said why not. */
function tellingWhy(error: unknown, words: Buffer | undefined): unknown {
  const { class: name, message } = failureOf(error);
  return name === 'no_changes' && words !== undefined ? runFailure(name, withWords(message, words)) : error;
}

/** `halt`: of what the run is parked; `error`: why it fails; `words`: what an agent that is done has said last. */
type AfterAgent = { readonly halt: Halt } | { readonly error: unknown } | { readonly words: Buffer };

/** Lets the agent work. */
async function afterAgent(run: Run, work: Work, given: GivenToAgent): Promise<AfterAgent> {
  try {
    return await haltOrWords(run, work, given);
  } catch (error) {
    return { error };
  }
}

/**
 * What the server knows to stand in the way of the run decides, whatever the agent says of its end. Returns that of which the run is
 * parked; throws a run failure for all else.
 */
async function haltOrWords(
  run: Run,
  work: Work,
  { ways, kept }: GivenToAgent,
): Promise<Exclude<AfterAgent, { readonly error: unknown }>> {
  const onStart = (): void => run.phase('stream');
  const ended = await runAgent(run, { ...work, ways, kept, onStart }).then(
    words => ({ words }),
    (error: unknown) => ({ error }),
  );
  run.signal.throwIfAborted();
  const halt = ways.hasGateway ? await haltOf(run) : undefined;
  if (halt !== undefined && isParking(halt.kind)) return { halt };
  // An agent that has seen by itself that its turn was not finished has the better words.
  if ('error' in ended && halt?.kind === 'unfinished') throw ended.error;
  if (halt !== undefined) throw runFailure(classOf(halt.kind), halt.message);
  if ('error' in ended) throw ended.error;
  return ended;
}

/** No agent: a model's answer for one phase of a spec. */
async function plan(run: Run, source: Source): Promise<HandedIn> {
  const planned = await planPhase(run, source);
  run.phase('submit');
  return planned.halt === undefined ? submit(run, planned.result) : park(run, { halt: planned.halt, result: { summary: '' } });
}

/** No agent: the checks of the task on its commit. */
async function review(run: Run, source: Source): Promise<HandedIn> {
  const ways = await openWays(run, { gateway: false, network: true });
  const place = { source, branch: 'skep/review', files: [], folders: ways.folders, links: ways.links, hasSetup: true };
  try {
    return await inWorkspace(run, place, async (sandbox, again) => {
      run.phase('run_checks');
      const checks = await runChecks(run, { sandbox, ways, again });
      ways.sumUp();

      run.phase('submit');
      return submit(run, { summary: summaryOf(checks), checks });
    });
  } finally {
    ways.close();
  }
}

async function submit({ tools, lease, secrets, reports }: Run, given: RunResult): Promise<HandedIn> {
  const result = secrets.outOf(given);
  await reports.sent();
  lease.ending.throwIfAborted();
  await lease.sendLast((key, call) => {
    // Whoever stops here believes that the lease is held: the server alone can refuse what comes after.
    failpoint('before-complete');
    return tools.protocol.complete(key, result, call);
  });
  failpoint('after-complete');
  return { kind: 'submitted', result };
}

async function park({ tools, lease, secrets, reports }: Run, given: { result: RunResult; halt: Halt }): Promise<HandedIn> {
  const result = secrets.outOf(given.result);
  await reports.sent();
  lease.ending.throwIfAborted();
  await lease.sendLast((key, call) => tools.protocol.park(key, result, call));
  return { kind: 'parked', result, halt: given.halt };
}
