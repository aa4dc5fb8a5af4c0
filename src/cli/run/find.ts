import { run, runList, runStates } from '../../../contract/runs.ts';
import type { WireRun } from '../../../contract/runs.ts';
import type { Context } from '../context.ts';
import { wholeId } from '../input/id.ts';
import { allPages, gathered } from '../output/list.ts';
import { fields } from '../output/table.ts';
import { painted } from '../output/text.ts';

export { runStates };

export function runs({ client }: Context, query: { state?: string | undefined; ticket_id?: string | undefined }, max?: number) {
  return allPages<WireRun>(async (after, limit) => {
    const page = await client.request('GET', '/api/runs', { query: { ...query, after, limit }, schema: runList });
    return { rows: page.runs, next: page.next };
  }, max);
}

/** The whole id of a run, from one that may be shortened. */
export function runId(context: Context, given: string): Promise<string> {
  return wholeId(given, {
    noun: 'run',
    notFound: 'run_not_found',
    all: async () => (await gathered(runs(context, {}))).map(({ id }) => id),
  });
}

export function runById({ client }: Context, id: string): Promise<WireRun> {
  return client.request('GET', `/api/runs/${id}`, { schema: run });
}

/** Whether nothing more will be written to its log. */
export function hasEnded({ ended_at, state }: WireRun): boolean {
  return ended_at !== null || state === 'submitted' || state === 'parked';
}

export function runText({ out }: Context, it: WireRun): string {
  return fields([
    ['id', it.id],
    ['subject', `${it.subject_type} ${it.subject_id}`],
    ['attempt', it.attempt],
    ['state', it.state, text => painted(out, text)],
    ['worker', it.worker],
    ['failure', it.failure_class === null ? null : `${it.failure_class}: ${it.failure_message ?? ''}`],
    ['summary', it.result?.summary],
    ['branch', it.result?.branch],
    ['head', it.result?.head],
    ['created', it.created_at],
    ['started', it.started_at],
    ['ended', it.ended_at],
  ]);
}
