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
      { sessionUpdate: 'tool_call', toolCallId: 'c', kind: 'execute', title: 'make' },
      { sessionUpdate: 'tool_call_update', toolCallId: 'c', status: 'failed', output: 'no rule' },
    ]);
    expect(read([call({ title: 'think', status: 'pending' })])).toMatchObject([{ kind: 'other', title: 'think' }]);
  });

  it('show of what was read or changed only that it failed', () => {
    const content = [{ type: 'content', content: { type: 'text', text: 'all of it' } }];
    const outputs = (kind: string, status: string) =>
      read([call({ kind, title: 'a.js', status, content })]).flatMap(update => ('output' in update ? [update.output] : []));
    expect([outputs('read', 'completed'), outputs('edit', 'completed'), outputs('read', 'failed')]).toEqual([
      [''],
      [''],
      ['all of it'],
    ]);
    expect(outputs('execute', 'completed')).toEqual(['all of it']);
  });

  it('are not put out by what is not known', () => {
    expect(read([undefined, 7, {}, { sessionUpdate: 'plan' }, { sessionUpdate: 'agent_message_chunk' }])).toEqual([]);
  });
});
