import { artifactList, run, runDetail, runHealths, runList, runStates } from '../../../contract/runs.ts';
import type { WireRun, WireRunDetail } from '../../../contract/runs.ts';
import { count } from '../build/view/words.ts';
import type { Context } from '../context.ts';
import { shortId, wholeId } from '../input/id.ts';
import { allPages, gathered } from '../output/list.ts';
import { fields } from '../output/table.ts';
import { painted, styled } from '../output/text.ts';
import { refusedText } from './refusals.ts';
import type { Refused } from './refusals.ts';

export { runHealths, runStates };

type Filter = Readonly<Partial<Record<'state' | 'ticket_id' | 'worker' | 'project_id' | 'health', string | undefined>>>;

export function runs({ client }: Context, query: Filter, max?: number) {
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

export interface Shown {
  readonly run: WireRunDetail;
  /** The names of what it has kept. */
  readonly artifacts: readonly string[];
}

/** With all that is shown of one run. */
export async function runShown({ client }: Context, id: string): Promise<Shown> {
  const found = await client.request('GET', `/api/runs/${id}`, { schema: runDetail });
  const { artifacts } = await client.request('GET', `/api/runs/${id}/artifacts`, { schema: artifactList });
  return { run: found, artifacts: artifacts.map(({ name }) => name) };
}

/** Whether nothing more will be written to its log. */
export function hasEnded({ ended_at, state }: WireRun): boolean {
  return ended_at !== null || state === 'submitted' || state === 'parked';
}

export function runText({ out }: Context, it: WireRun): string {
  return fields(runFields(out, it));
}

export function shownText({ out, clock }: Context, { run: it, artifacts, refused }: Shown & { refused: Refused }): string {
  const isQueued = it.state === 'queued';
  return fields([
    ...runFields(out, it),
    ['waits until', isQueued && Date.parse(it.due_at) > clock.now() ? it.due_at : null],
    ['goes first', isQueued && it.aged_at !== null ? `it has waited so long, since ${it.aged_at}` : null],
    ['continues', it.continues === null ? null : `the work of run ${shortId(it.continues)}, which broke off`],
    ['kept', artifacts.join(', ')],
    ['transcript', transcriptText(it)],
    ['refused', refusedText(refused)],
  ]);
}

function transcriptText({ id, transcript_events: events }: WireRunDetail): string | null {
  return events === 0 ? null : `${count(events, 'event')}: skep run transcript ${shortId(id)}`;
}

function runFields(out: Context['out'], it: WireRun): Parameters<typeof fields>[0] {
  const isHeld = it.lease_expires_at !== null;
  return [
    ['id', it.id],
    ['subject', `${it.subject_type} ${it.subject_id}`],
    ['attempt', it.attempt],
    ['template', templateText(it)],
    ['state', it.state, text => painted(out, it.state, text)],
    ['phase', isHeld ? it.phase : null],
    ['health', isHeld ? healthText(it) : null, text => (it.health === 'ok' ? text : styled(out, healthStyles[it.health], text))],
    ['worker', it.worker],
    ['lease until', it.lease_expires_at],
    ['failure', it.failure_class === null ? null : `${it.failure_class}: ${it.failure_message ?? ''}`],
    ['summary', it.result?.summary],
    ['branch', it.result?.branch],
    ['head', it.result?.head],
    ['created', it.created_at],
    ['started', it.started_at],
    ['ended', it.ended_at],
  ];
}

function templateText({ template, fallback_of: first }: WireRun): string | null {
  return first === null ? template : `${template}, in the place of ${first}, whose model did not answer`;
}

const healthStyles = { late: 'yellow', degraded: 'red' } as const;

function healthText({ health }: WireRun): string {
  return { ok: 'ok', late: 'late: a heartbeat is missing', degraded: 'degraded: two heartbeats are missing' }[health];
}
