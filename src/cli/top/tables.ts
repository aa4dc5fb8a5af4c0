import type { WireTop } from '../../../contract/fleet/top.ts';
import { clockText } from '../build/view/words.ts';
import type { Output } from '../context.ts';
import { shortId } from '../input/id.ts';
import { painted, styled } from '../output/text.ts';
import type { GridColumn } from './grid.ts';

type Run = WireTop['runs'][number];
type Retry = WireTop['retries'][number];
type Worker = WireTop['workers'][number];

export function runColumns(out: Output): readonly GridColumn<Run>[] {
  return [
    { title: 'RUN', value: ({ id }) => shortId(id), goes: 3 },
    { title: 'OF', value: subjectOf, max: 20 },
    { title: 'PROJECT', value: ({ project }) => project ?? '-', max: 16, goes: 9 },
    { title: 'TRY', value: ({ attempt }) => String(attempt), atRight: true, goes: 8 },
    { title: 'STATE', value: ({ state }) => state, paint: (text, { state }) => painted(out, state, text) },
    { title: 'PHASE', value: ({ phase }) => phase ?? '-', max: 18, goes: 4 },
    { title: 'HEALTH', value: ({ health }) => health, paint: (text, { health }) => unwell(out, health, text), goes: 2 },
    { title: 'HELD', value: ({ held_ms }) => clockText(held_ms), atRight: true, goes: 5 },
    {
      title: 'LEASE',
      value: ({ lease_left_ms }) => seconds(lease_left_ms),
      atRight: true,
      paint: (text, { health }) => unwell(out, health, text),
      goes: 1,
    },
    { title: 'WORKER', value: ({ worker }) => worker ?? '-', max: 24, goes: 7 },
    { title: 'TITLE', value: ({ title }) => title ?? '-', goes: 6 },
  ];
}

export function retryColumns(): readonly GridColumn<Retry>[] {
  return [
    { title: 'RETRY', value: ({ id }) => shortId(id), goes: 2 },
    { title: 'OF', value: subjectOf, max: 20 },
    { title: 'TRY', value: ({ attempt }) => String(attempt), atRight: true, goes: 3 },
    { title: 'DUE IN', value: ({ due_in_ms }) => clockText(due_in_ms), atRight: true },
    { title: 'AFTER', value: ({ reason }) => reason ?? '-', goes: 1 },
  ];
}

/** `now` in milliseconds since the epoch, by the server's clock. */
export function workerColumns(out: Output, now: number): readonly GridColumn<Worker>[] {
  return [
    { title: 'WORKER', value: ({ name }) => name, max: 24 },
    { title: 'STATE', value: stateOf, paint: (text, worker) => inState(out, stateOf(worker), text) },
    { title: 'BUSY', value: ({ busy, slots }) => `${busy}/${slots}`, atRight: true, goes: 1 },
    { title: 'HEARD', value: ({ beat_at }) => `${clockText(now - Date.parse(beat_at))} ago`, atRight: true, goes: 2 },
    { title: 'HOST', value: ({ host }) => host, max: 24, goes: 4 },
    { title: 'VERSION', value: ({ version }) => version, max: 16, goes: 5 },
    { title: 'OFFERS', value: ({ capabilities }) => capabilities.map(offer).join(' '), goes: 3 },
  ];
}

/** Of a worker that was told to claim nothing more and has not heard it yet, what it is about to be. */
function stateOf({ state, is_told_to_drain }: Worker): string {
  return state === 'active' && is_told_to_drain ? 'draining' : state;
}

function subjectOf({ subject_type, ticket_id }: Pick<Run, 'subject_type' | 'ticket_id'>): string {
  if (subject_type === 'spec_phase') return 'planning';
  const words = { ticket: '', review: ' checks', conflict: ' conflict', diagnosis: ' diagnosis' };
  return `${ticket_id ?? 'base'}${words[subject_type]}`;
}

function offer(capability: string): string {
  return capability.replace(/^(agent|label):/, '');
}

function seconds(ms: number): string {
  return `${Math.ceil(ms / 1000)} s`;
}

function unwell(out: Output, health: Run['health'], text: string): string {
  return health === 'ok' ? text : styled(out, health === 'late' ? 'yellow' : 'red', text);
}

function inState(out: Output, state: string, text: string): string {
  if (state === 'draining') return styled(out, 'yellow', text);
  return state === 'gone' ? styled(out, 'red', text) : state === 'left' ? styled(out, 'dim', text) : text;
}
