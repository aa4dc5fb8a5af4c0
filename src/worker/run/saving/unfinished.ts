import { modelOf } from '../../../../contract/projects.ts';
import type { FailureClass, RunResult } from '../../../../contract/runs.ts';
import { failureOf } from '../../failure.ts';
import type { Run } from '../run.ts';
import { saveConversation } from './conversation.ts';
import { bringWork } from './work.ts';
import type { Work } from './work.ts';

/** For bringing what there is to the server; that the run has failed is said after it. */
const savingMsMax = 60_000;

/** The agent was broken off: what it has done until then is worth as much as before. */
const brokenOff: ReadonlySet<FailureClass> = new Set([
  'agent_died',
  'unresponsive',
  'stopped',
  'timeout',
  'provider',
  'quota',
  'network',
  'limit',
] as const);

/**
 * What there is of an attempt at a ticket that failed by `error`, on the server for the next attempt. Undefined where the agent was
 * not broken off, has left nothing, or it could not be brought there in time. What the agent has said and heard is kept too. Never throws: it must not hide the failure.
 */
export async function unfinishedWork(run: Run, work: Work, error: unknown): Promise<RunResult | undefined> {
  if (run.lease.signal.aborted || work.conflict !== undefined || !isBrokenOff(run, error)) return undefined;
  run.lease.closeWithin(savingMsMax);
  const result = await bringWork(run, work).catch((why: unknown) => {
    run.tools.log.debug({ why: run.secrets.text(String(why)) }, 'a run fails without what there was of its work');
    return undefined;
  });
  if (work.keeps) await saveConversation(run, work.sandbox);
  return result;
}

/** An agent that calls models by the gateway may have failed for want of an answer: the server knows, and decides by that. */
function isBrokenOff({ claimed }: Run, error: unknown): boolean {
  const failureClass = failureOf(error).class;
  return brokenOff.has(failureClass) || (failureClass === 'agent_failed' && modelOf(claimed.agent) !== undefined);
}
