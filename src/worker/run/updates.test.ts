import { describe, expect, it } from 'vitest';
import { linesOf } from './updates.ts';

const output = (text: string, status: 'completed' | 'failed' = 'completed') =>
  linesOf({ sessionUpdate: 'tool_call_update', toolCallId: '1', status, output: text });

describe('what an agent does', () => {
  it('is told in lines', () => {
    expect(linesOf({ sessionUpdate: 'agent_message_chunk', text: 'One.\n\nTwo.\n' })).toBe('One.\n\nTwo.\n');
    expect(linesOf({ sessionUpdate: 'agent_thought_chunk', text: 'Is it\nso?' })).toBe('· Is it\n  so?\n');
    const call = { sessionUpdate: 'tool_call', toolCallId: '1' } as const;
    expect(linesOf({ ...call, kind: 'execute', title: 'npm test\nnpm run lint' })).toBe('$ npm test\n  npm run lint\n');
    expect(linesOf({ ...call, kind: 'edit', title: 'edit a.js' })).toBe('> edit a.js\n');
    expect(linesOf({ ...call, kind: 'other', title: 'ask', input: { question: 'so?' } })).toBe('> ask {"question":"so?"}\n');
    expect(output('ok\n')).toBe('  ok\n');
    expect(linesOf({ sessionUpdate: 'usage_update', inputTokens: 5, outputTokens: 2 })).toContain('5 tokens in, 2 out');
  });

  it('is not told where there is nothing to tell, but for a failure', () => {
    expect(linesOf({ sessionUpdate: 'agent_message_chunk', text: ' \n' })).toBe('');
    expect(output('')).toBe('');
    expect(output('', 'failed')).toBe('  failed\n');
    const quiet = {
      sessionUpdate: 'tool_call_update',
      toolCallId: '1',
      status: 'completed',
      output: 'x',
      isQuiet: true,
    } as const;
    expect(linesOf(quiet)).toBe('');
    expect(linesOf({ sessionUpdate: 'file_change', path: 'a.js', change: 'added' })).toBe('');
  });

  it('is cut where it is long, and says so', () => {
    const long = Array.from({ length: 50 }, (_, i) => `line ${i}`).join('\n');
    expect(output(long).split('\n').slice(-3)).toEqual(['  line 19', '  … 30 more lines', '']);
    expect(output('x'.repeat(10_000)).length).toBeLessThan(600);
    expect(output('x\n'.repeat(10_000_000)).length).toBeLessThan(200);
  });

  it('cannot steer a terminal', () => {
    expect(output('a\u001b]52;c;eA\u0007b\u001b[2Jc\rd\u202e')).toBe('  abc\n  d\n');
  });
});
