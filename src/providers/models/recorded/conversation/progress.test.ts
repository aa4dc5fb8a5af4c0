import { describe, expect, it } from 'vitest';
import type { Entry } from './conversation.ts';
import { progressOf } from './progress.ts';

const user = (text: string): Entry => ({ kind: 'user', text });
const said = (text: string): Entry => ({ kind: 'assistant', text });
const call = (id: string, name = 'bash', args = {}): Entry => ({ kind: 'call', call: { id, name, args } });
const output = (id: string, text: string, name = ''): Entry => ({ kind: 'output', id, name, text });
const progress = (...entries: Entry[]) => progressOf({ entries });

describe('the progress of a conversation', () => {
  it('is what has been put out', () => {
    expect(progress(user('a'), user('b'))).toMatchObject({ position: 0, asked: 'a\nb', output: '' });
    expect(progress(user('a'), said('x'), call('1'), output('1', 'one'), call('2'), output('2', 'two'))).toMatchObject({
      position: 2,
      asked: 'a',
      output: 'two',
    });
  });

  it('has not made a call that has no output', () => {
    expect(progress(user('a'), call('1'), output('1', 'one'), call('2'), user('go on'))).toMatchObject({
      position: 1,
      output: 'one',
    });
  });

  it('begins anew when the user speaks after the end of a turn', () => {
    const first = [user('a'), call('1'), output('1', 'one'), said('Done.')];
    expect(progress(...first)).toMatchObject({ position: 1 });
    expect(progress(...first, user('fail 1'), user('mend it'))).toMatchObject({
      position: 0,
      asked: 'fail 1\nmend it',
      output: '',
    });
    expect(progress(...first, user('b'), call('2'), output('2', 'two'))).toMatchObject({
      position: 1,
      asked: 'b',
      output: 'two',
    });
  });

  it('goes on after a word of the user in the middle of a turn', () => {
    expect(progress(user('a'), said('I look.'), call('1'), output('1', 'one'), user('continue'))).toMatchObject({
      position: 1,
      asked: 'a',
      output: 'one',
    });
  });

  it('counts no search for tools, and no wait', () => {
    const waited = [
      call('2', 'write_stdin', { session_id: 1, chars: '' }),
      output('2', 'still'),
      call('3', 'write_stdin', { session_id: 1 }),
      output('3', 'ended'),
    ];
    const searched = [call('4', 'ToolSearch'), output('4', 'found it')];
    expect(progress(user('a'), call('1'), output('1', 'runs'), ...waited, ...searched)).toMatchObject({
      position: 1,
      output: 'runs\nstill\nended',
      waits: 2,
      hasSearched: true,
    });
    expect(progress(user('a'), ...searched, call('5'), output('5', 'five'))).toMatchObject({ position: 1, hasSearched: false });
    // What is typed into a program is a step.
    expect(progress(user('a'), call('1', 'write_stdin', { chars: 'y' }), output('1', 'yes'))).toMatchObject({ position: 1 });
  });

  it('knows calls by their names where the wire has no ids', () => {
    const entries = [
      user('a'),
      call('', 'tool_search'),
      output('', 'found', 'tool_search'),
      call('', 'ls'),
      output('', 'x', 'ls'),
    ];
    expect(progress(...entries)).toMatchObject({ position: 1, output: 'x' });
  });
});
