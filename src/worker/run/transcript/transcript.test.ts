import { describe, expect, it } from 'vitest';
import { transcriptEvent, transcriptTextCharactersMax } from '../../../../contract/talk/transcript.ts';
import type { TranscriptEvent } from '../../../../contract/talk/transcript.ts';
import type { SessionUpdate } from '../../agent.ts';
import { workPath } from '../../sandbox.ts';
import { bounded, eventOf } from './event.ts';
import { createTranscript } from './index.ts';

const at = '2026-01-02T03:04:05.000Z';

async function written(
  updates: readonly SessionUpdate[],
  limits: { eventsMax?: number; bytesMax?: number } = {},
): Promise<TranscriptEvent[]> {
  const lines: string[] = [];
  const output = { write: (line: Buffer) => void lines.push(line.toString()), end: () => Promise.resolve() };
  const transcript = createTranscript({ output, clock: { now: () => Date.parse(at) }, ...limits });
  for (const update of updates) transcript.add(update);
  await transcript.end();
  expect(lines.every(line => line.indexOf('\n') === line.length - 1)).toBe(true);
  // As the server takes them.
  return lines.map(line => transcriptEvent.parse(JSON.parse(line)));
}

const says = (text: string): SessionUpdate => ({ sessionUpdate: 'agent_message_chunk', text });
const thinks = (text: string): SessionUpdate => ({ sessionUpdate: 'agent_thought_chunk', text });
const call = (input?: unknown): SessionUpdate => ({
  ...{ sessionUpdate: 'tool_call', toolCallId: 'c', kind: 'other', title: 'ask' },
  ...(input === undefined ? {} : { input }),
});
const result = (output: string): SessionUpdate => ({
  ...{ sessionUpdate: 'tool_call_update', toolCallId: 'c', status: 'completed', output },
});

describe('the transcript of a run', () => {
  it('has an event for each thing that the agent does', async () => {
    const change: SessionUpdate = {
      sessionUpdate: 'file_change',
      path: `${workPath}/src/a.js`,
      change: 'added',
      toolCallId: 'c',
    };
    const used: SessionUpdate = { sessionUpdate: 'usage_update', inputTokens: 3, outputTokens: 1.5 };
    expect(await written([says('Hello'), thinks('so'), call({ a: 1 }), change, result('done'), used])).toEqual([
      { type: 'message', at, text: 'Hello' },
      { type: 'thought', at, text: 'so' },
      { type: 'tool_call', at, call: 'c', kind: 'other', title: 'ask', input: '{"a":1}' },
      { type: 'file_change', at, path: 'src/a.js', change: 'added', call: 'c' },
      { type: 'tool_result', at, call: 'c', status: 'completed', output: 'done' },
      { type: 'usage', at, input_tokens: 3, output_tokens: 1 },
    ]);
    expect(await written([{ sessionUpdate: 'usage_update', inputTokens: 1e300, outputTokens: -1 }])).toMatchObject([
      { input_tokens: Number.MAX_SAFE_INTEGER, output_tokens: 0 },
    ]);
    const outside: SessionUpdate = { sessionUpdate: 'file_change', path: '/tmp/x', change: 'deleted' };
    expect(await written([outside])).toMatchObject([{ path: '/tmp/x', call: null }]);
  });

  it('has one message for lines that follow each other, and none for nothing', async () => {
    const words = [says('One.\n'), says('\n'), says('Two.'), says('Three.'), thinks('Hm.\n'), says('Four.\n')];
    expect((await written(words)).map(event => ('text' in event ? event.text : event.type))).toEqual([
      'One.\n\nTwo.',
      'Three.',
      'Hm.\n',
      'Four.\n',
    ]);
    const nothing: SessionUpdate[] = [
      says(' \n'),
      thinks(''),
      { sessionUpdate: 'usage_update', inputTokens: 0, outputTokens: 0 },
    ];
    expect(await written([...nothing, { sessionUpdate: 'file_change', path: '', change: 'added' }])).toEqual([]);
  });

  it('cuts a long text and says how much is missing; many lines become several messages', async () => {
    const [cut] = await written([result('x'.repeat(100_000))]);
    expect(cut).toMatchObject({ output: expect.stringMatching(/^x{16324}… \[83676 more characters were not kept\]$/) });
    const input = await written([call({ content: 'y'.repeat(100_000) }), call('z'.repeat(20_000))]);
    expect(input.map(event => 'input' in event && event.input.length <= transcriptTextCharactersMax)).toEqual([true, true]);
    const lines = Array.from({ length: 300 }, (_, i) => `${String(i).padStart(199, '.')}\n`);
    const messages = await written(lines.map(says));
    expect(messages.length).toBe(4);
    expect(messages.map(event => ('text' in event ? event.text : '')).join('')).toBe(lines.join(''));
  });

  it('has no half of a character, and nothing that a database does not keep', () => {
    expect(bounded('a\u0000b\ud800c')).toBe('ab\ufffdc');
    const cut = bounded('🐝'.repeat(200), 101);
    expect(/\p{Surrogate}/u.test(cut)).toBe(false);
    expect(cut).not.toContain('\ufffd');
    expect(cut.length).toBeLessThanOrEqual(101);
    const toolCallId = `${'x'.repeat(199)}🐝`;
    const event = eventOf({ sessionUpdate: 'tool_call_update', toolCallId, status: 'completed', output: '' }, at);
    expect(event).toMatchObject({ call: `${'x'.repeat(199)}\ufffd` });
  });

  it('ends with one event that says so where there is more than is kept', async () => {
    const many = Array.from({ length: 50 }, () => call());
    const few = await written(many, { eventsMax: 10 });
    expect(few.map(event => event.type)).toEqual([...Array.from({ length: 9 }, () => 'tool_call'), 'cut']);
    expect(few.at(-1)).toMatchObject({ text: expect.stringContaining('at most 10 events') });
    const short = await written([result('x'.repeat(5_000)), result('x'.repeat(5_000)), result('x')], { bytesMax: 8_000 });
    expect(short.map(event => event.type)).toEqual(['tool_result', 'cut']);
  });
});
