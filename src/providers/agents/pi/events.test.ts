import { describe, expect, it } from 'vitest';
import { createSession } from './events.ts';

const start = (toolCallId: string, toolName: string, args: object) => ({
  type: 'tool_execution_start',
  ...{ toolCallId, toolName, args },
});
const end = (toolCallId: string, toolName: string, { isError = false, text = '' } = {}) => ({
  type: 'tool_execution_end',
  ...{ toolCallId, toolName, isError, result: { content: [{ type: 'text', text }] } },
});

describe('a session of pi', () => {
  it('tells what tools were given, and what files they have written', () => {
    const session = createSession();
    const args = { path: 'a.js', edits: [{ oldText: 'a', newText: 'b' }] };
    const told = [start('1', 'edit', args), end('1', 'edit'), start('2', 'write', { path: 'b.js', content: 'x' })].flatMap(
      event => session.read(event),
    );
    expect(told).toEqual([
      { sessionUpdate: 'tool_call', toolCallId: '1', kind: 'edit', title: 'edit a.js', input: args },
      { sessionUpdate: 'file_change', toolCallId: '1', path: 'a.js', change: 'modified' },
      { sessionUpdate: 'tool_call_update', toolCallId: '1', status: 'completed', output: '' },
      { sessionUpdate: 'tool_call', toolCallId: '2', kind: 'edit', title: 'write b.js', input: { path: 'b.js', content: 'x' } },
    ]);
    expect(session.read(end('2', 'write', { isError: true, text: 'no' }))).toEqual([
      { sessionUpdate: 'tool_call_update', toolCallId: '2', status: 'failed', output: 'no' },
    ]);
  });

  it('shows what was read, though that is worth no lines of a log', () => {
    const session = createSession();
    session.read(start('1', 'read', { path: 'a.js' }));
    expect(session.read(end('1', 'read', { text: 'all of it' }))).toMatchObject([{ output: 'all of it', isQuiet: true }]);
    expect(session.read(end('2', 'read', { isError: true, text: 'no' }))).toEqual([
      { sessionUpdate: 'tool_call_update', toolCallId: '2', status: 'failed', output: 'no' },
    ]);
  });

  it('is not put out by what it does not know', () => {
    const strange = [{}, { type: 'tool_execution_start' }, { type: 'tool_execution_end', result: 7 }, { type: 'message_end' }];
    expect(strange.flatMap(event => createSession().read(event)).map(each => each.sessionUpdate)).toEqual([
      'tool_call',
      'tool_call_update',
    ]);
  });
});
