import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, type LanguageModel, Output, stepCountIs, streamText, tool } from 'ai';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ask, playing, recordingWith, runOf, serveUpstream } from '../../../../test/harness/recorded.ts';
import type { Upstream, Wire } from '../../../gateway/upstream.ts';
import type { Step } from './format.ts';
import { createRecordedUpstream } from './index.ts';
import { hear } from './record/heard/index.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function served(upstream: Upstream, run = runOf()) {
  const server = await serveUpstream(upstream, run);
  closing.push(server.close);
  return server;
}

/** The SDKs by which the wires are spoken; of the anthropic one a model with and one without structured output of its own. */
const sdks: Record<string, (url: string) => LanguageModel> = {
  anthropic: url => createAnthropic({ baseURL: `${url}/v1`, apiKey: 'none' })('claude-sonnet-4-5'),
  'anthropic, older': url => createAnthropic({ baseURL: `${url}/v1`, apiKey: 'none' })('claude-3-haiku-20240307'),
  chat: url =>
    createOpenAICompatible({ name: 'x', baseURL: `${url}/v1`, includeUsage: true, supportsStructuredOutputs: true })('demo'),
};

const tools = (outputs: string[], called: unknown[] = []) => ({
  bash: tool({
    inputSchema: z.object({ command: z.string() }),
    execute: input => {
      called.push(input);
      return outputs.shift() ?? '';
    },
  }),
  write: tool({
    inputSchema: z.object({ path: z.string(), content: z.string() }),
    execute: input => {
      called.push(input);
      return 'written';
    },
  }),
});

const steps: Step[] = [
  { expect: 'durations', say: 'I run the tests first.', call: { shell: 'node --test' } },
  { expect: 'fail 1', say: 'I mend it.', call: { write: { path: 'src/x.js', content: "let x = 'ü\u{1f41d}';\n" } } },
  { say: 'All is green.' },
];

describe.each(Object.entries(sdks))('an SDK on the wire of %s', (_name, model) => {
  it('streams a conversation with tools to its end', async () => {
    const { url, bodies } = await served(playing(...steps));
    const called: unknown[] = [];
    const result = streamText({
      model: model(url),
      prompt: 'Parse durations',
      tools: tools(['# fail 1'], called),
      stopWhen: stepCountIs(9),
    });
    let text = '';
    for await (const delta of result.textStream) text += delta;
    expect(text).toBe('I run the tests first.I mend it.All is green.');
    expect(called).toEqual([{ command: 'node --test' }, { path: 'src/x.js', content: "let x = 'ü\u{1f41d}';\n" }]);
    expect(await result.finishReason).toBe('stop');
    const usage = await result.totalUsage;
    const bytes = bodies.map(body => Math.ceil(Buffer.byteLength(body) / 4));
    expect(usage.inputTokens).toBe(bytes.reduce((sum, size) => sum + size, 0));
    expect(usage.inputTokenDetails.cacheReadTokens).toBeGreaterThan(bytes[0] ?? 0);
    expect(usage.outputTokens).toBeGreaterThan(20);
  });

  it('has the whole of it at once too', async () => {
    const { url } = await served(playing(...steps));
    const { text, steps: taken } = await generateText({
      model: model(url),
      prompt: 'Parse durations',
      tools: tools(['# fail 1']),
      stopWhen: stepCountIs(9),
    });
    expect(text).toBe('All is green.');
    expect(taken.map(({ toolCalls }) => toolCalls.map(({ toolName }) => toolName))).toEqual([['bash'], ['write'], []]);
  });

  it('is told when the sandbox is not as it was recorded', async () => {
    const { url } = await served(playing(...steps));
    const asked = generateText({
      model: model(url),
      prompt: 'Parse durations',
      tools: tools(['# fail 0']),
      stopWhen: stepCountIs(9),
      maxRetries: 0,
    });
    await expect(asked).rejects.toMatchObject({
      statusCode: 422,
      isRetryable: false,
      message: expect.stringContaining('The recording expected "fail 1" and the sandbox said "# fail 0"'),
    });
  });

  it('gets structured output as the wire has it', async () => {
    const object = { name: 'durations', requirements: ['WHEN "1h" is given THE SYSTEM SHALL answer 3600'], n: 2 };
    const recording = recordingWith({ match: { subject: 'spec_phase', phase: 'REQUIREMENTS' }, steps: [{ object }] });
    const run = runOf({ subjectType: 'spec_phase', phase: 'REQUIREMENTS', title: 'REQUIREMENTS' });
    const { url } = await served(createRecordedUpstream(recording), run);
    const schema = z.object({ name: z.string(), requirements: z.array(z.string()), n: z.number() });
    const { output } = await generateText({ model: model(url), prompt: 'Plan it', output: Output.object({ schema }) });
    expect(output).toEqual(object);
  });
});

/** A request of each wire whose agent offers a tool for writing. */
const schema = {
  type: 'object',
  properties: { path: { type: 'string' }, content: { type: 'string' } },
  required: ['path', 'content'],
};
const requests: Record<Wire, object> = {
  anthropic: { messages: [{ role: 'user', content: 'a' }], tools: [{ name: 'write', input_schema: schema }] },
  chat: {
    messages: [{ role: 'user', content: 'a' }],
    tools: [{ type: 'function', function: { name: 'write', parameters: schema } }],
  },
  responses: { input: [{ role: 'user', content: 'a' }], tools: [{ type: 'function', name: 'write', parameters: schema }] },
  gemini: {
    contents: [{ role: 'user', parts: [{ text: 'a' }] }],
    tools: [{ functionDeclarations: [{ name: 'write', parameters: schema }] }],
  },
};
const wires = Object.keys(requests) as Wire[];

describe.each(wires)('the wire %s', wire => {
  const body = requests[wire];

  it('carries any text and any arguments, in a stream and as a whole', async () => {
    const words = fc.string({ unit: 'binary', maxLength: 2_000 });
    await fc.assert(
      fc.asyncProperty(
        fc.record({ say: words, content: words, input: fc.dictionary(words, fc.jsonValue()), isStream: fc.boolean() }),
        async given => {
          const { say, content, input, isStream } = given;
          const written = await ask(playing({ say, call: { write: { path: 'a', content } } }), { wire, body, isStream });
          expect(hear(wire, isStream, written.text)).toMatchObject({
            text: say,
            calls: [{ name: 'write', args: { path: 'a', content } }],
          });
          const own = await ask(playing({ call: { tool: { name: 'write', input } } }), { wire, body, isStream });
          // JSON has no negative zero.
          expect(hear(wire, isStream, own.text)?.calls[0]?.args).toEqual(JSON.parse(JSON.stringify(input)));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('carries a file of 1 MiB in few events', async () => {
    const content = 'let é = "\\";\n\u{1f41d}'.repeat(70_000);
    const { text } = await ask(playing({ call: { write: { path: 'a', content } } }), { wire, body, isStream: true });
    expect(Buffer.byteLength(content)).toBeGreaterThan(1_048_576);
    expect(hear(wire, true, text)?.calls[0]?.args).toEqual({ path: 'a', content });
    expect(text.split('\n\n').length).toBeLessThan(300);
  });

  it('breaks no character in two', async () => {
    const { text } = await ask(playing({ say: '\u{1f41d}'.repeat(100) }), { wire, body, isStream: true });
    expect(text).not.toMatch(/\\ud[89a-f]/i);
    expect(hear(wire, true, text)?.text).toBe('\u{1f41d}'.repeat(100));
  });

  it('is not heard to the end where it is cut', async () => {
    const { text } = await ask(playing({ say: 'Done.', call: { write: { path: 'a', content: 'x' } } }), {
      wire,
      body,
      isStream: true,
    });
    expect(hear(wire, true, text)).toBeDefined();
    const last = text.trimEnd().lastIndexOf('\n\n');
    const end = wire === 'chat' ? text.indexOf('"finish_reason":"tool_calls"') : last;
    for (let at = 0; at < end; at += 7) expect(hear(wire, true, text.slice(0, at))).toBeUndefined();
  });

  it('gives who comes again after a cut the same answer', async () => {
    const upstream = playing({ say: 'x'.repeat(1_000) });
    const { url } = await served(upstream);
    const path = {
      anthropic: '/v1/messages',
      chat: '/v1/chat/completions',
      responses: '/v1/responses',
      gemini: '/x:streamGenerateContent',
    };
    const post = (signal?: AbortSignal) =>
      fetch(`${url}${path[wire]}`, {
        method: 'POST',
        body: JSON.stringify({ ...body, stream: true }),
        ...(signal === undefined ? {} : { signal }),
      });
    const left = new AbortController();
    const cut = await post(left.signal);
    await cut.body?.getReader().read();
    left.abort();
    const again = await (await post()).text();
    expect(hear(wire, true, again)?.text).toBe('x'.repeat(1_000));
    const ids = (text: string) => text.match(/"(?:id|responseId)":"[^"]+"/)?.[0];
    expect(ids(again)).toBe(ids(await (await post()).text()));
  });
});
