import { describe, expect, it } from 'vitest';
import type { WireEvent } from '../../../../contract/events.ts';
import type { WireTicket } from '../../../../contract/tickets.ts';
import { createBoard } from './board.ts';

const at = (second: number) => new Date(Date.UTC(2026, 0, 2, 3, 4, second)).toISOString();
const uuid = '11111111-2222-4333-8444-555555555555';

function ticket(number: number, more: Partial<WireTicket> = {}): WireTicket {
  return {
    id: `TKT-00${number}`,
    tenant_id: uuid,
    session_id: uuid,
    spec_id: uuid,
    project_id: uuid,
    type: 'feature',
    title: `Feature ${number}`,
    description: '',
    acceptance_criteria: [],
    status: 'blocked',
    status_reason: null,
    proof: null,
    parent_id: null,
    depends_on: [],
    priority: 0,
    estimate: null,
    assigned_vm: null,
    branch_name: null,
    pr_url: null,
    files: [],
    observed: [],
    attempts: 0,
    created_at: at(0),
    updated_at: at(0),
    ...more,
  };
}

function event(
  type: string,
  second: number,
  more: { id?: string; kind?: string; payload?: Record<string, unknown> } = {},
): WireEvent {
  const { id = 'TKT-001', kind = 'ticket', payload = {} } = more;
  return { cursor: '', type, name: '', subject: { type: kind, id }, actor: 'flow', at: at(second), payload };
}

const epic = ticket(9, { type: 'epic', status: 'running' });
const chain = () => createBoard({ nodes: [ticket(2, { depends_on: ['TKT-001'] }), ticket(1, { status: 'ready' }), epic] });

describe('the board of a build', () => {
  it('holds the tickets and no epic, what can be done first, first', () => {
    const rows = chain().rows();
    expect(rows.map(({ id, depth, status }) => [id, depth, status])).toEqual([
      ['TKT-001', 0, 'ready'],
      ['TKT-002', 1, 'blocked'],
    ]);
  });

  it('follows a ticket and times it from its first claim', () => {
    const board = chain();
    const statuses = [
      board.apply(event('ticket.claimed', 1, { payload: { status: 'claimed' } })),
      board.apply(event('ticket.running', 2)),
      board.apply(event('ticket.verifying', 5)),
      board.apply(event('ticket.completed', 9)),
    ].map(move => move && [move.from, move.row.status]);
    expect(statuses).toEqual([
      ['ready', 'claimed'],
      ['claimed', 'running'],
      ['running', 'verifying'],
      ['verifying', 'completed'],
    ]);
    const { begun = 0, ended = 0 } = board.row('TKT-001') ?? {};
    expect(ended - begun).toBe(8_000);
  });

  it('does not time what was at work already when it first looked', () => {
    const board = createBoard({ nodes: [ticket(1, { status: 'verifying' })] });
    board.apply(event('ticket.merging', 3));
    expect(board.row('TKT-001')).toMatchObject({ status: 'merging', begun: undefined });
  });

  it('says each move once, however often it hears of it', () => {
    const board = chain();
    expect(board.apply(event('ticket.running', 2))).toBeDefined();
    expect(board.apply(event('ticket.running', 2))).toBeUndefined();
    expect(board.load([ticket(1, { status: 'running', updated_at: at(2) })], 0)).toEqual([]);
  });

  it('is not led back by an event from before what it has read', () => {
    const board = createBoard({ nodes: [ticket(1, { status: 'completed', updated_at: at(8) })] });
    expect(board.apply(event('ticket.running', 5))).toBeUndefined();
    expect(board.row('TKT-001')?.status).toBe('completed');
  });

  it('takes the truth for what it has missed, tickets that were added too', () => {
    const board = chain();
    const moves = board.load(
      [ticket(1, { status: 'failed', status_reason: 'broke' }), ticket(3, { depends_on: ['TKT-002'] }), epic],
      0,
    );
    expect(moves.map(({ row, from }) => [row.id, from, row.status, row.reason])).toEqual([
      ['TKT-001', 'ready', 'failed', 'broke'],
    ]);
    expect(board.row('TKT-003')?.depth).toBe(2);
  });

  it('learns nothing of a ticket that has moved on since it was read', () => {
    const board = chain();
    board.apply(event('ticket.completed', 9));
    board.learn(ticket(1, { status: 'merging', proof: null, attempts: 4 }));
    expect(board.row('TKT-001')).toMatchObject({ status: 'completed', attempts: 0 });
    board.learn(ticket(1, { status: 'completed', proof: 'proven', attempts: 2 }));
    expect(board.row('TKT-001')).toMatchObject({ proof: 'proven', attempts: 2 });
  });

  it('knows which run works for a ticket, whose checks too', () => {
    const board = chain();
    const run = (type: string, payload: object) => event(type, 3, { id: uuid, kind: 'run', payload: { ...payload } });
    board.apply(run('run.leased', { ticketId: 'TKT-001', subjectType: 'review', subject: uuid, attempt: 3 }));
    expect(board.row('TKT-001')).toMatchObject({ run: { id: uuid, kind: 'review' }, attempts: 0 });
    board.apply(event('run.failed', 4, { id: 'another', kind: 'run', payload: { ticketId: 'TKT-001' } }));
    expect(board.row('TKT-001')?.run).toBeDefined();
    board.apply(run('run.submitted', { ticketId: 'TKT-001' }));
    expect(board.row('TKT-001')?.run).toBeUndefined();
    board.apply(run('run.leased', { ticketId: 'TKT-001', subjectType: 'ticket', attempt: 2 }));
    expect(board.row('TKT-001')?.attempts).toBe(2);
  });

  it('leaves the tickets of others alone', () => {
    const board = chain();
    expect(board.apply(event('ticket.running', 2, { id: 'TKT-777' }))).toBeUndefined();
    expect(board.apply(event('ticket.changed', 2))).toBeUndefined();
    expect(board.apply(event('review.passed', 2, { kind: 'review', id: uuid, payload: { status: 'running' } }))).toBeUndefined();
    expect(board.rows()).toHaveLength(2);
  });
});
