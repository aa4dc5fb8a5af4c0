import type { WireEvent } from '../../../../contract/events.ts';
import { printable } from '../../output/text.ts';

/** One part of a try, and how long it took. */
export interface Step {
  readonly name: string;
  readonly ms: number;
}

/** How a try ended; all but `merged` say what stood in its way. */
export type End =
  | { readonly kind: 'merged' }
  | { readonly kind: 'failed'; readonly class: string; readonly message: string }
  | { readonly kind: 'red'; readonly reviewId: string }
  | { readonly kind: 'base'; readonly message: string }
  | { readonly kind: 'person'; readonly message: string };

/** Reads the events of a try in their order. */
export interface Timeline {
  /** The steps that have ended with this event. */
  read(event: WireEvent): readonly Step[];
  readonly end: End | undefined;
  /** The run of the agent, once it is known. */
  readonly runId: string | undefined;
  /** The branch, once there is one. */
  readonly branch: string;
}

export function createTimeline(): Timeline {
  let open: { readonly name: string; readonly at: number } | undefined;
  let end: End | undefined;
  let runId: string | undefined;
  let branch = '';
  /** Its own word comes when the work is merged; whether it is in the repository is told apart from that. */
  const left = new Set(['session.completed', 'trunk.published']);

  function turnTo(name: string | undefined, at: number): readonly Step[] {
    if (open?.name === name) return [];
    const ended = open === undefined ? [] : [{ name: open.name, ms: Math.max(0, at - open.at) }];
    open = name === undefined ? undefined : { name, at };
    return ended;
  }

  return {
    read(event) {
      if (end !== undefined) return [];
      const isAgents = event.payload['subjectType'] === 'ticket';
      if (isAgents) runId = event.subject.id;
      if (event.subject.type === 'trunk') branch = String(event.payload['branch']);
      left.delete(event.type);
      end = left.size === 0 ? { kind: 'merged' } : endOf(event, isAgents);
      const at = Date.parse(event.at);
      if (end !== undefined) return turnTo(undefined, at);
      const name = stepOf(event, isAgents);
      return name === undefined ? [] : turnTo(name, at);
    },
    get end() {
      return end;
    },
    get runId() {
      return runId;
    },
    get branch() {
      return branch;
    },
  };
}

/** What begins with an event; undefined where that begins nothing. */
function stepOf({ type, payload }: WireEvent, isAgents: boolean): string | undefined {
  if (type === 'run.reported') return isAgents ? phaseOf(payload) : undefined;
  if (type === 'run.queued' || type === 'run.submitted') return isAgents ? steps[type] : undefined;
  return steps[type];
}

const steps: Readonly<Partial<Record<string, string>>> = {
  'trunk.opened': 'check the base',
  'run.queued': 'find a worker',
  'run.submitted': 'check the work',
  'change.queued': 'merge',
  'change.merged': 'publish',
};

function phaseOf({ report, details }: WireEvent['payload']): string | undefined {
  const phase = (details as { readonly phase?: unknown } | null)?.phase;
  if (report !== 'phase.started' || typeof phase !== 'string') return undefined;
  return phases[phase] ?? printable(phase).replaceAll('_', ' ');
}

const phases: Readonly<Partial<Record<string, string>>> = { stream: 'the agent works', submit: 'hand in' };

function endOf({ type, subject, payload }: WireEvent, isAgents: boolean): End | undefined {
  const text = (field: string): string => (typeof payload[field] === 'string' ? payload[field] : '');
  switch (type) {
    case 'trunk.refused':
      return { kind: 'base', message: text('reason') };
    case 'trunk.stalled':
      return { kind: 'failed', class: 'repository', message: text('error') };
    case 'review.needs_work':
      return { kind: 'red', reviewId: subject.id };
    case 'review.inconclusive':
      return { kind: 'failed', class: 'sandbox', message: text('reason') };
    case 'run.failed':
      return { kind: 'failed', class: isAgents ? text('class') : 'sandbox', message: text('message') };
    case 'run.lost':
      return { kind: 'failed', class: 'lost', message: 'Its worker was not heard of any more' };
    case 'run.parked':
    case 'run.halted':
      return isAgents ? { kind: 'failed', class: text('halt') || 'halted', message: text('message') } : undefined;
    case 'change.flagged':
      return { kind: 'person', message: 'what it has changed waits for approval' };
    case 'question.opened':
      return { kind: 'person', message: text('text') || 'it has asked a question' };
    default:
      return undefined;
  }
}
