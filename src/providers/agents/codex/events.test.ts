import { describe, expect, it } from 'vitest';
import { createTurn } from './events.ts';

const read = (event: object) => createTurn().read(event as Readonly<Record<string, unknown>>);
const item = (kind: 'started' | 'completed', fields: object) => read({ type: `item.${kind}`, item: { id: 'item_1', ...fields } });

describe('a turn of codex', () => {
  it.each([
    ["/bin/bash -lc 'echo hi; ls -A'", 'echo hi; ls -A'],
    [`/usr/bin/bash -lc "echo 'hi'"`, "echo 'hi'"],
    ['/bin/sh -lc ls', 'ls'],
    [`/bin/bash -lc 'grep -c '"'^a'"' x'^y`, "grep -c '^a' x^y"],
    [`/bin/bash -lc "echo \\"\\$x\\""`, 'echo "$x"'],
    ['/bin/bash -lc ls -l', '/bin/bash -lc ls -l'],
    [`/bin/bash -lc 'echo '\\''hi'\\'''`, "echo 'hi'"],
    ['python3 x.py', 'python3 x.py'],
  ])('shows the command of %s', (command, title) => {
    expect(item('started', { type: 'command_execution', command })).toMatchObject([
      { kind: 'execute', title, input: { command } },
    ]);
  });

  it('shows calls of tools with their answers, and changes of files', () => {
    const call = { type: 'mcp_tool_call', server: 'skep', tool: 'submit_result', arguments: { status: 'done' } };
    expect(item('started', call)).toMatchObject([{ title: 'submit_result', input: { status: 'done' } }]);
    const result = { content: [{ type: 'text', text: 'Taken.' }] };
    expect(item('completed', { ...call, result, status: 'completed' })).toMatchObject([
      { status: 'completed', output: 'Taken.' },
    ]);
    const failed = { ...call, error: { message: 'no' }, status: 'failed' };
    expect(item('completed', failed)).toMatchObject([{ status: 'failed', output: 'no' }]);
    const changes = [
      { path: 'a.js', kind: 'update' },
      { path: 'b.js', kind: 'add' },
    ];
    const told = item('completed', { type: 'file_change', changes, status: 'completed' });
    expect(told[0]).toMatchObject({ title: 'update a.js\nadd b.js', input: { changes } });
    expect(told.slice(1)).toEqual([
      { sessionUpdate: 'file_change', toolCallId: 'item_1', path: 'a.js', change: 'modified' },
      { sessionUpdate: 'file_change', toolCallId: 'item_1', path: 'b.js', change: 'added' },
      { sessionUpdate: 'tool_call_update', toolCallId: 'item_1', status: 'completed', output: '' },
    ]);
    // What could not be changed was not.
    expect(item('completed', { type: 'file_change', changes, status: 'failed' }).map(each => each.sessionUpdate)).toEqual([
      'tool_call',
      'tool_call_update',
    ]);
  });

  it('has failed when the last word is an error, and not when it went on after one', () => {
    const turn = createTurn();
    turn.read({ type: 'error', message: 'Reconnecting... 1/2' });
    turn.read({ type: 'turn.completed', usage: { input_tokens: 3, output_tokens: 1 } });
    expect([turn.isCompleted, turn.failure]).toEqual([true, undefined]);
    turn.read({ type: 'turn.failed', error: { message: 'unexpected status 402: The budget is spent' } });
    expect([turn.isCompleted, turn.failure]).toEqual([false, 'unexpected status 402: The budget is spent']);
  });

  it('is not put out by events that it does not know', () => {
    expect([{}, { type: 'item.completed' }, { type: 'item.started', item: 7 }, { type: 'turn.failed' }].flatMap(read)).toEqual(
      [],
    );
  });
});
