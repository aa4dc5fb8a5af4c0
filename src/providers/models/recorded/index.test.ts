import { describe, expect, it } from 'vitest';
import { ask, playing, recordingOf, recordingWith, runOf } from '../../../../test/harness/recorded.ts';
import type { Wire } from '../../../gateway/upstream.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { createRecordedUpstream, mismatchHeader } from './index.ts';

const bash = {
  name: 'bash',
  input_schema: { type: 'object', properties: { command: { type: 'string' } }, required: ['command'] },
};
const user = (content: unknown) => ({ role: 'user', content });
const chatTool = { type: 'function', function: { name: 'bash' } };
const geminiUser = { role: 'user', parts: [{ text: 'hi' }] };
const geminiTool = { functionDeclarations: [{ name: 'bash' }] };
const used = (id: string) => ({ role: 'assistant', content: [{ type: 'tool_use', id, name: 'bash', input: { command: 'ls' } }] });
const result = (id: string, content: string) => user([{ type: 'tool_result', tool_use_id: id, content }]);
const asking = (...messages: object[]) => ({ wire: 'anthropic' as const, body: { tools: [bash], messages, max_tokens: 4_000 } });
const said = (answer: { json: () => { content: { text?: string; input?: object }[] } }) => answer.json().content;

describe('the recorded provider', () => {
  it('says what it is', () => {
    const { name, label, isRecorded, pricedAs, wires } = playing({ say: 'x' });
    expect({ name, label, isRecorded, pricedAs, wires }).toEqual({
      name: 'recorded',
      label: 'recorded demo',
      isRecorded: true,
      pricedAs: 'openai/gpt-5-codex',
      wires: ['anthropic', 'chat', 'responses', 'gemini'],
    });
  });

  it('plays the step whose turn it is, and the same one to the same question', async () => {
    const upstream = playing(
      { say: 'I look.', call: { shell: 'ls' } },
      { expect: 'a.js', call: { shell: 'cat a.js' } },
      { say: 'Done.' },
    );
    const first = [user('Do it')];
    expect(said(await ask(upstream, asking(...first)))).toMatchObject([{ text: 'I look.' }, { input: { command: 'ls' } }]);
    const second = [...first, used('1'), result('1', 'a.js\n')];
    const answer = await ask(upstream, asking(...second));
    expect(said(answer)).toMatchObject([{ input: { command: 'cat a.js' } }]);
    expect(said(await ask(upstream, asking(...second)))).toEqual(said(answer));
    const third = [...second, used('2'), result('2', 'let a')];
    expect(said(await ask(upstream, asking(...third)))).toMatchObject([{ text: 'Done.' }]);
    // An agent that was killed in its last call is asked to go on: the call is made again.
    expect(said(await ask(upstream, asking(...second, used('2'), user('go on'))))).toMatchObject([
      { input: { command: 'cat a.js' } },
    ]);
    const beyond = await ask(upstream, asking(...third, used('3'), result('3', 'x')));
    expect(said(beyond)).toMatchObject([{ text: expect.stringContaining('all that was recorded') }]);
  });

  it('plays the scene of the round to a conversation that was resumed', async () => {
    const upstream = createRecordedUpstream(
      recordingWith(
        { match: { title: 'Parse durations', round: 0 }, steps: [{ call: { shell: 'one' } }, { say: 'Done.' }] },
        { match: { title: 'Parse durations' }, steps: [{ expect: 'fail 1', call: { shell: 'two' } }, { say: 'Mended.' }] },
      ),
    );
    const first = [user('Do it'), used('1'), result('1', 'x'), { role: 'assistant', content: 'Done.' }];
    const again = asking(...first, user('The review says: fail 1'));
    expect(said(await ask(upstream, { ...again, run: runOf({ round: 1 }) }))).toMatchObject([{ input: { command: 'two' } }]);
    expect(said(await ask(upstream, { ...again, run: runOf({ round: 0 }) }))).toMatchObject([{ input: { command: 'one' } }]);
  });

  it.each<[Wire, object, (body: { error: { code?: unknown; type?: unknown; status?: unknown } }) => boolean]>([
    ['anthropic', { messages: [user('hi')], tools: [bash] }, ({ error }) => error.type === 'invalid_request_error'],
    ['chat', { messages: [user('hi')], tools: [chatTool] }, ({ error }) => error.code === 'recording_mismatch'],
    [
      'responses',
      { input: 'hi', tools: [{ type: 'function', name: 'bash' }] },
      ({ error }) => error.code === 'recording_mismatch',
    ],
    ['gemini', { contents: [geminiUser], tools: [geminiTool] }, ({ error }) => error.status === 'FAILED_PRECONDITION'],
  ])('ends where the %s request is not what was expected', async (wire, body, kindIs) => {
    const upstream = playing({ expect: ['hi', { matches: '^hell?o$' }], say: 'x' });
    for (const isStream of [true, false]) {
      const { status, headers, json } = await ask(upstream, { wire, body, isStream });
      expect(status).toBe(422);
      expect(headers[mismatchHeader]).toBe('1');
      expect(kindIs(json())).toBe(true);
      expect(json().error.message).toBe(
        'The recording expected "/^hell?o$/" and the task said "hi": the sample is not as it was recorded. Restore it, or make a ' +
          "new recording with skep record (subject ticket, title 'Parse durations', round 0, step 0)",
      );
    }
  });

  it('shortens both sides, and shows the end of an output', async () => {
    const upstream = playing({ call: { shell: 'x' } }, { expect: 'e'.repeat(500), say: 'x' });
    const output = `${'.'.repeat(5_000)}# fail 3`;
    const { status, json } = await ask(upstream, asking(user('a'), used('1'), result('1', output)));
    const [, wanted = '', got = ''] = /expected "(.*)" and the sandbox said "(.*)": the/.exec(json().error.message) ?? [];
    expect(status).toBe(422);
    expect([wanted.length, got.length]).toEqual([300, 300]);
    expect(got).toMatch(/^…[.]+# fail 3$/);
  });

  it('says which run has no scene', async () => {
    const { status, headers, json } = await ask(playing({ say: 'x' }), {
      ...asking(user('a')),
      run: runOf({ title: 'Other', round: 2 }),
    });
    expect([status, headers[mismatchHeader]]).toEqual([422, '1']);
    expect(json().error.message).toContain("has no scene for this run (subject ticket, title 'Other', round 2)");
    const phase = runOf({ subjectType: 'spec_phase', phase: 'DESIGN', title: 'DESIGN' });
    const planning = await ask(playing({ say: 'x' }), { ...asking(user('a')), run: phase });
    expect(planning.json().error.message).toContain('(subject spec_phase, phase DESIGN, round 0)');
  });

  it('says which tool an agent lacks', async () => {
    const { status, headers, json } = await ask(playing({ call: { tool: { name: 'gone', input: {} } } }), asking(user('a')));
    expect([status, headers[mismatchHeader]]).toEqual([422, '1']);
    expect(json().error.message).toContain('it offers bash');
  });

  it('answers what agents ask on the side without harm, whatever the run', async () => {
    const upstream = playing({ expect: 'never', say: 'x' });
    const title = { wire: 'anthropic' as const, body: { messages: [user('Find a title')] }, run: runOf({ title: 'Other' }) };
    expect(said(await ask(upstream, title))).toMatchObject([{ text: expect.stringContaining('recorded demo') }]);
    const schema = {
      type: 'object',
      properties: { title: { type: 'string' }, is_new: { type: 'boolean' } },
      required: ['title', 'is_new'],
    };
    const body = { messages: [user('Find a title')], output_config: { format: { type: 'json_schema', schema } } };
    const [block] = said(await ask(upstream, { wire: 'anthropic', body }));
    expect(JSON.parse(block?.text ?? '')).toEqual({ title: 'recorded demo', is_new: false });
  });

  it('plays to a plain model what it says, though that offers no tool', async () => {
    const upstream = playing({ expect: 'a poem', say: 'Roses are red' });
    const run = runOf({ agent: 'model' });
    const answer = await ask(upstream, { wire: 'anthropic', body: { messages: [user('Write a poem')] }, run });
    expect(said(answer)).toMatchObject([{ text: 'Roses are red' }]);
    const other = await ask(upstream, { wire: 'anthropic', body: { messages: [user('Write a letter')] }, run });
    expect(other.status).toBe(422);
  });

  it('hands over the object whose expectation is met', async () => {
    const upstream = playing({ expect: 'first', object: { n: 1 } }, { expect: 'second', object: { n: 2 } });
    const format = { type: 'json_schema', name: 'x', schema: { type: 'object' } };
    const answer = await ask(upstream, { wire: 'responses', body: { input: 'the second', text: { format } } });
    expect(JSON.parse(answer.json().output[0].content[0].text)).toEqual({ n: 2 });
    expect((await ask(upstream, { wire: 'responses', body: { input: 'the third', text: { format } } })).status).toBe(422);
  });

  it('counts', async () => {
    const upstream = playing({ say: 'x' });
    const body = { messages: [user('x'.repeat(400))] };
    const expected = Math.ceil(JSON.stringify(body).length / 4);
    const count = (wire: Wire) => ask(upstream, { wire, body, operation: 'count' });
    expect((await count('anthropic')).json()).toEqual({ input_tokens: expected });
    expect((await count('gemini')).json()).toEqual({ totalTokens: expected });
    expect((await count('responses')).json()).toMatchObject({ input_tokens: expected });
  });

  it('uses as many tokens as what is said is long, and finds in the cache what was asked before', async () => {
    const upstream = playing({ say: 'x'.repeat(41), call: { shell: 'ls' } }, { say: 'y'.repeat(400) });
    const first = asking(user('a'.repeat(4_000)));
    const { usage } = (await ask(upstream, first)).json();
    const bytes = JSON.stringify(first.body).length;
    expect(usage).toEqual({
      input_tokens: Math.ceil(bytes / 4),
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
      output_tokens: Math.ceil((41 + 'bash'.length + '{"command":"ls"}'.length) / 4),
    });
    const second = asking(user('a'.repeat(4_000)), used('1'), result('1', 'ok'));
    const then = (await ask(upstream, second)).json().usage;
    expect(then.cache_read_input_tokens + then.input_tokens).toBe(Math.ceil(JSON.stringify(second.body).length / 4));
    expect(then.cache_read_input_tokens).toBeGreaterThan(1_000);
    expect(then.input_tokens).toBeLessThan(60);
    expect(then.output_tokens).toBe(100);
  });

  it('stops where the limit of the answer is, as a model does', async () => {
    const upstream = playing({ say: `${'x'.repeat(39)}\u{1f41d} and more`, call: { shell: 'ls' } });
    const limited = { ...asking(user('a')).body, max_tokens: 10 };
    const { content, stop_reason, usage } = (await ask(upstream, { wire: 'anthropic', body: limited })).json();
    expect({ content, stop_reason, output: usage.output_tokens }).toEqual({
      content: [{ type: 'text', text: 'x'.repeat(39) }],
      stop_reason: 'max_tokens',
      output: 10,
    });
    const tools = [{ type: 'function', name: 'bash', parameters: bash.input_schema }];
    const { text } = await ask(upstream, {
      wire: 'responses',
      body: { input: 'a', tools, max_output_tokens: 10 },
      isStream: true,
    });
    expect(text).toContain('event: response.incomplete');
    expect(text).not.toContain('function_call');
  });

  it('refuses what is no JSON', async () => {
    const { status, headers, json } = await ask(playing({ say: 'x' }), { wire: 'gemini', body: '{' });
    expect([status, headers[mismatchHeader]]).toEqual([400, undefined]);
    expect(json().error).toMatchObject({ code: 400, message: 'The request is not valid JSON' });
  });

  it('takes anything for a request', async () => {
    const upstream = playing({ say: 'x' });
    const odd = [
      null,
      [],
      'x',
      { messages: 7, tools: 'x', contents: [1], input: [null, [[]]] },
      { messages: [{ content: [[[]]] }] },
    ];
    for (const wire of upstream.wires) {
      for (const body of odd) expect((await ask(upstream, { wire, body: JSON.stringify(body) })).status).toBe(200);
    }
  });

  it('waits as long as a step says, and no longer than its reader', async () => {
    const slept: number[] = [];
    const clock: Clock = {
      now: () => 0,
      mono: () => 0,
      sleep: (ms, signal) => {
        slept.push(ms);
        return new Promise(resolve => {
          if (ms !== 60_000 || signal?.aborted === true) resolve();
          else signal?.addEventListener('abort', () => resolve());
        });
      },
    };
    const upstream = createRecordedUpstream(recordingOf({ say: 'x', delay_ms: 5 }), { clock });
    await ask(upstream, { ...asking(user('a')), isStream: true });
    expect(slept).toEqual([5]);
    const slow = createRecordedUpstream(recordingOf({ say: 'x', delay_ms: 60_000 }), { clock });
    const left = new AbortController();
    const asked = ask(slow, { ...asking(user('a')), isStream: true, signal: left.signal });
    left.abort();
    await expect(asked).rejects.toMatchObject({ name: 'UpstreamError', failure: 'cut_off' });
  });
});
