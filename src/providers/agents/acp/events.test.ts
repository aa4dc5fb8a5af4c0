import { describe, expect, it } from 'vitest';
import { createTranscript } from './events.ts';

const chunk = (text: string, kind = 'agent_message_chunk') => ({ sessionUpdate: kind, content: { type: 'text', text } });
const call = (fields: object) => ({ sessionUpdate: 'tool_call', toolCallId: 'c', ...fields });

function read(updates: readonly unknown[]) {
  const transcript = createTranscript();
  return [...updates.flatMap(update => transcript.read(update)), ...transcript.end()];
}

describe('the updates of an agent', () => {
  it('are words line by line, however they come, each kind by itself', () => {
    expect(read([chunk('I th'), chunk('ink\nthat '), chunk('it works', 'agent_thought_chunk'), chunk('')])).toEqual([
      { sessionUpdate: 'agent_message_chunk', text: 'I think\n' },
      { sessionUpdate: 'agent_message_chunk', text: 'that ' },
      { sessionUpdate: 'agent_thought_chunk', text: 'it works' },
    ]);
    expect(read([chunk('x'.repeat(20_000)), chunk('y')]).map(update => ('text' in update ? update.text.length : 0))).toEqual([
      20_000, 1,
    ]);
  });

  it('tell of a call once, when it is known what it is', () => {
    const running = { kind: 'execute', title: 'make', status: 'in_progress', rawInput: { command: 'make' } };
    expect(
      read([
        call({ title: 'bash', kind: 'execute', status: 'pending', rawInput: { cwd: '/work' } }),
        { ...call(running), sessionUpdate: 'tool_call_update' },
        { ...call(running), sessionUpdate: 'tool_call_update' },
        { sessionUpdate: 'tool_call_update', toolCallId: 'c', status: 'failed', rawOutput: { output: 'no rule' } },
      ]),
    ).toEqual([
      { sessionUpdate: 'tool_call', toolCallId: 'c', kind: 'execute', title: 'make', input: { command: 'make' } },
      { sessionUpdate: 'tool_call_update', toolCallId: 'c', status: 'failed', output: 'no rule' },
    ]);
    expect(read([call({ title: 'think', status: 'pending' })])).toMatchObject([{ kind: 'other', title: 'think' }]);
  });

  it('mark what was read or changed as worth no lines of a log, but for a failure', () => {
    const content = [{ type: 'content', content: { type: 'text', text: 'all of it' } }];
    const outputs = (kind: string, status: string) =>
      read([call({ kind, title: 'a.js', status, content })]).flatMap(update =>
        'output' in update ? [[update.output, update.isQuiet === true]] : [],
      );
    expect(['read', 'edit', 'execute'].flatMap(kind => outputs(kind, 'completed'))).toEqual([
      ['all of it', true],
      ['all of it', true],
      ['all of it', false],
    ]);
    expect(outputs('read', 'failed')).toEqual([['all of it', false]]);
  });

  it('tell of files that were changed when that is done: by diffs, else by places', () => {
    const changes = (...updates: object[]) =>
      read(updates.map(call)).flatMap(update => (update.sessionUpdate === 'file_change' ? [[update.change, update.path]] : []));
    const diff = (path: string, oldText: string | null) => ({ type: 'diff', path, oldText, newText: 'new' });
    const content = [diff('/repo/a.js', 'old'), diff('/repo/b.js', null), diff('/repo/a.js', 'old')];
    const locations = [{ path: '/repo/c.js', line: 3 }];
    expect(changes({ kind: 'edit', status: 'pending', content, locations }, { status: 'completed' })).toEqual([
      ['modified', '/repo/a.js'],
      ['added', '/repo/b.js'],
    ]);
    expect(changes({ kind: 'edit', status: 'pending', locations }, { status: 'completed', content })).toHaveLength(2);
    expect(changes({ kind: 'edit', status: 'pending', content }, { status: 'failed' })).toEqual([]);
    expect(changes({ kind: 'edit', status: 'completed', locations })).toEqual([['modified', '/repo/c.js']]);
    expect(changes({ kind: 'delete', status: 'completed', locations })).toEqual([['deleted', '/repo/c.js']]);
    expect(changes({ kind: 'read', status: 'completed', locations })).toEqual([]);
    const many = Array.from({ length: 600 }, (_, i) => diff(`/repo/${i}.js`, null));
    expect(changes({ kind: 'edit', status: 'completed', content: many })).toHaveLength(500);
  });

  it('show what a command printed in pieces', () => {
    const piece = (data: string, more: object = {}) => call({ ...more, _meta: { terminal_output_delta: { data } } });
    const begun = call({ kind: 'execute', title: 'ls', rawInput: { command: 'ls' }, status: 'in_progress' });
    const outputs = (...updates: object[]) => read(updates).flatMap(update => ('output' in update ? [update.output] : []));
    expect(outputs(begun, piece('a\n'), piece('b\n'), call({ status: 'completed' }))).toEqual(['a\nb\n']);
    expect(outputs(begun, piece('a'), call({ status: 'completed', rawOutput: 'all' }))).toEqual(['all']);
    const many = Array.from({ length: 40 }, () => piece('x'.repeat(10_000)));
    expect(outputs(begun, ...many, call({ status: 'failed' }))[0]).toHaveLength(262_144);
  });

  it('are cut between words where a line is long', () => {
    const words = read([chunk(`${'x'.repeat(16_000)} ${'y'.repeat(500)}`), chunk('z')]);
    expect(words.map(update => ('text' in update ? update.text.replace(/(.)\1+/g, '$1') : ''))).toEqual(['x ', 'yz']);
  });

  it('are not put out by what is not known', () => {
    expect(read([call({ kind: 'constructor', title: 'x', status: 'completed' })])).toMatchObject([{ kind: 'other' }, {}]);
    expect(read([undefined, 7, {}, { sessionUpdate: 'plan' }, { sessionUpdate: 'agent_message_chunk' }])).toEqual([]);
  });
});
