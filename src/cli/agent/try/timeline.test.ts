import { expect, it } from 'vitest';
import type { WireEvent } from '../../../../contract/events.ts';
import { createTimeline } from './timeline.ts';

let second = 0;
/** Each a second after the one before. */
function event(
  type: string,
  payload: WireEvent['payload'] = {},
  subject = { type: type.split('.')[0] ?? '', id: 'it' },
): WireEvent {
  second += 1;
  return { cursor: String(second), type, name: '', subject, actor: 'x', at: new Date(second * 1_000).toISOString(), payload };
}

const ticket = { subjectType: 'ticket' };
const phase = (name: string, of = ticket) => event('run.reported', { ...of, report: 'phase.started', details: { phase: name } });
const merged = () => [
  event('trunk.opened', { branch: 'skep/try' }),
  phase('run_checks', { subjectType: 'review' }),
  event('run.queued', ticket, { type: 'run', id: 'R' }),
  phase('start_agent'),
  phase('stream'),
  event('run.reported', { ...ticket, report: 'agent.ended', details: {} }),
  phase('submit'),
  event('run.submitted', ticket),
  event('change.queued'),
  event('change.merged'),
  event('session.completed'),
  event('trunk.published', { branch: 'skep/try' }),
];

it('names each part and tells how long it took', () => {
  const timeline = createTimeline();
  const steps = merged().flatMap(each => timeline.read(each));
  expect(steps.map(({ name, ms }) => `${name} ${ms}`)).toEqual([
    'check the base 2000',
    'find a worker 1000',
    'start agent 1000',
    'the agent works 2000',
    'hand in 1000',
    'check the work 1000',
    'merge 1000',
    'publish 2000',
  ]);
  expect([timeline.end, timeline.branch, timeline.runId]).toEqual([{ kind: 'merged' }, 'skep/try', 'it']);
});

it.each([
  [event('run.failed', { ...ticket, class: 'no_changes', message: 'm' }), { kind: 'failed', class: 'no_changes', message: 'm' }],
  [
    event('run.failed', { subjectType: 'review', class: 'timeout', message: 'm' }),
    { kind: 'failed', class: 'sandbox', message: 'm' },
  ],
  [event('run.halted', { ...ticket, halt: 'recording', message: 'm' }), { kind: 'failed', class: 'recording', message: 'm' }],
  [event('review.needs_work'), { kind: 'red', reviewId: 'it' }],
  [event('trunk.refused', { reason: 'red' }), { kind: 'base', message: 'red' }],
  [event('change.flagged'), { kind: 'person', message: 'what it has changed waits for approval' }],
])('ends with what stands in its way', (last, end) => {
  const timeline = createTimeline();
  timeline.read(event('run.queued', ticket));
  expect(timeline.read(last).map(({ name }) => name)).toEqual(['find a worker']);
  expect(timeline.end).toEqual(end);
  expect(timeline.read(event('session.completed'))).toEqual([]);
  expect(timeline.end).toEqual(end);
});
