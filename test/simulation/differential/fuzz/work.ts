import { ticketStatuses } from '../../../../contract/tickets.ts';

/** A row by its table. */
export type GivenRow = readonly [table: string, values: Readonly<Record<string, unknown>>];

export const tenants = [uuid('a', 1), uuid('a', 2)] as const;
export const projects = [uuid('b', 1), uuid('b', 2), uuid('b', 3)] as const;
export const [session, otherSession] = [uuid('c', 1), uuid('c', 2)];
export const spec = uuid('d', 1);
export const trunk = uuid('e', 1);
export const [tenant, stranger] = tenants;
const beginning = Date.UTC(2030, 0, 1);

/** Seconds after the beginning; negative for before. */
export const at = (s: number) => new Date(beginning + s * 1_000);
export const sha = (letter: string) => letter.repeat(40);
export const hash = (n: number) => Buffer.from([n, n, n, n]);

export function uuid(letter: string, n: number): string {
  return `${letter.repeat(8)}-0000-4000-8000-${String(n).padStart(12, '0')}`;
}

export const ticketId = (n: number) => `TKT-${String(n).padStart(3, '0')}`;

export const tickets: GivenRow[] = ticketStatuses.map((status, i) => [
  'tickets',
  {
    ...{ tenant_id: tenant, id: ticketId(i + 2), number: i + 2, project_id: projects[0], type: i % 2 === 0 ? 'task' : 'bug' },
    ...{ title: `t${i}`, status, session_id: session, spec_id: spec, parent_id: ticketId(1), priority: i % 3, attempts: i % 2 },
    ...{
      proof: status === 'completed' ? 'proven' : null,
      files: i % 4 === 0 ? ['src/a.ts', `src/b${i}.ts`] : [],
      observed: i % 5 === 0 ? ['src'] : [],
    },
    ...{ acceptance_criteria: JSON.stringify(['works']), updated_at: at(-60 * i), created_at: at(-3_600 - i) },
  },
]);

const liveStates = ['leased', 'starting', 'working'];
const endedStates = ['accepted', 'returned', 'failed', 'lost', 'cancelled'];
export const runId = (n: number) => uuid('f', n);

function aRun(n: number, state: string, more: Readonly<Record<string, unknown>> = {}): GivenRow {
  const isLive = liveStates.includes(state);
  const isHeld = isLive || ['submitted', 'parked'].includes(state);
  return [
    'runs',
    {
      ...{
        id: runId(n),
        tenant_id: tenant,
        subject_type: 'ticket',
        subject_id: ticketId(n),
        ticket_id: ticketId(n),
        attempt: 1,
        state,
      },
      ...{
        ticket_status: 'ready',
        project_id: projects[0],
        agent: 'exec',
        requires: ['agent:exec'],
        priority: n % 2,
        chain: n % 3,
      },
      ...{ due_at: at((n % 2 === 0 ? -30 : 30) - n / 100), created_at: at(-600 + n), task: JSON.stringify({ title: 't', n }) },
      ...(isHeld
        ? { worker: `w${n % 2}`, fence: n, lease_token_hash: hash(n), run_token_hash: hash(100 + n), leased_at: at(-120 + n) }
        : {}),
      ...(isLive ? { lease_expires_at: at(n % 2 === 0 ? -1 : 10), started_at: at(-100), phase: 'agent', phase_at: at(-90) } : {}),
      ...(endedStates.includes(state) ? { ended_at: at(-n) } : {}),
      ...(state === 'failed' ? { failure_class: 'agent_failed', failure_message: 'no' } : {}),
      ...(['submitted', 'accepted'].includes(state)
        ? { result: JSON.stringify({ head: sha('1'), base: sha('0'), blob: 'x' }) }
        : {}),
      ...(state === 'parked' ? { halt: JSON.stringify({ kind: 'blocker', message: 'm', questionId: uuid('9', 1) }) } : {}),
      ...more,
    },
  ];
}

export const runs: GivenRow[] = [
  aRun(2, 'queued'),
  aRun(3, 'queued', { aged_at: at(-5) }),
  aRun(4, 'queued'),
  aRun(5, 'leased'),
  aRun(6, 'working', { health: 'late' }),
  aRun(7, 'submitted'),
  aRun(8, 'accepted'),
  aRun(9, 'failed'),
  aRun(10, 'parked'),
  aRun(11, 'lost', { carried: true, resume_sha: sha('7') }),
  aRun(12, 'cancelled'),
  aRun(13, 'failed', { subject_id: ticketId(4), ticket_id: ticketId(4), failure_class: 'network' }),
  aRun(14, 'returned', { subject_id: ticketId(4), ticket_id: ticketId(4), attempt: 2 }),
  aRun(15, 'queued', {
    subject_type: 'review',
    subject_id: uuid('8', 1),
    ticket_id: null,
    ticket_status: null,
    requires: ['checks'],
  }),
  aRun(16, 'working', { subject_type: 'conflict', subject_id: uuid('7', 3), ticket_id: ticketId(8), ticket_status: 'merging' }),
  aRun(17, 'queued', { subject_type: 'spec_phase', subject_id: session, ticket_id: null, ticket_status: null, due_at: at(-1) }),
  aRun(18, 'queued', { tenant_id: stranger, project_id: projects[2], subject_id: ticketId(1), ticket_id: ticketId(1) }),
];

export function aReview(n: number, state: string, more: Readonly<Record<string, unknown>> = {}): GivenRow {
  const isOver = ['passed', 'needs_work', 'failed', 'inconclusive'].includes(state);
  return [
    'reviews',
    {
      ...{
        id: uuid('8', n),
        tenant_id: tenant,
        kind: 'submission',
        trunk_id: trunk,
        ticket_id: ticketId(n + 6),
        run_id: runId(n + 6),
      },
      ...{ round: 1, state, head_sha: sha('1'), base_sha: sha('0'), candidate_sha: sha('2'), created_at: at(-50 + n) },
      ...{ ended_at: isOver ? at(-10) : null, checks: JSON.stringify([{ name: 'test', state: 'passed' }]), ...more },
    },
  ];
}

export function aChange(n: number, state: string, more: Readonly<Record<string, unknown>> = {}): GivenRow {
  return [
    'changes',
    {
      ...{ id: uuid('7', n), tenant_id: tenant, trunk_id: trunk, ticket_id: ticketId(n + 5), state, approval: 'not_needed' },
      ...{
        head_sha: sha('1'),
        base_sha: sha('0'),
        review_id: uuid('8', 2),
        run_id: runId(8),
        created_at: at(-40 + n),
        updated_at: at(-40 + n),
      },
      ...(state === 'queued' ? { queued_at: at(-20) } : {}),
      ...(state === 'merged' ? { merge_sha: sha('3'), merged_at: at(-5), merge_number: 1 } : {}),
      ...more,
    },
  ];
}
