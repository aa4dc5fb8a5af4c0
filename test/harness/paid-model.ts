import type { ModelRequest, Part, Reply } from './scripted-model.ts';

/** What the models file says of the model, in USD per million tokens. */
export const paidPrice = { input: 2, cached: 0.2, output: 10 };

/** The accounts of a provider, kept without a look at those of the gateway. */
export interface Till {
  /** Answers as a provider does, and charges for the whole of it from the beginning, whatever becomes of it. */
  answer(request: ModelRequest, more?: { readonly before?: readonly Part[]; readonly text?: string }): Reply;
  /** Answers that were charged. */
  readonly calls: number;
  readonly usd: number;
}

/** So that the sum is one of whole numbers. */
const perUsd = 10_000_000;
const tenthsPerToken = (usdPerMillion: number) => Math.round((usdPerMillion * perUsd) / 1_000_000);

export function openTill(): Till {
  let calls = 0;
  let tenths = 0;
  return {
    get calls() {
      return calls;
    },
    get usd() {
      return tenths / perUsd;
    },
    answer(request, { before = [], text = 'word '.repeat(8) } = {}) {
      const limit = request.body['max_tokens'];
      if (typeof limit !== 'number') throw new Error('a call without a limit');
      // Not all are alike, and all come up to the limit where that is low.
      const output = Math.min(300 + ((calls * 137) % 400), limit);
      const prompt = Math.ceil(request.text.length / 3);
      const cached = Math.floor(prompt / 4);
      calls += 1;
      tenths +=
        (prompt - cached) * tenthsPerToken(paidPrice.input) +
        cached * tenthsPerToken(paidPrice.cached) +
        output * tenthsPerToken(paidPrice.output);
      const usage = { prompt_tokens: prompt, completion_tokens: output, prompt_tokens_details: { cached_tokens: cached } };
      return { parts: [...before, ...(request.body['stream'] === true ? streamed(text, usage) : [whole(text, usage)])] };
    },
  };
}

/** A piece of an answer as a stream has it. */
export function delta(content: string): string {
  return chunk([{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }]);
}

function streamed(text: string, usage: object): Part[] {
  const end = chunk([{ index: 0, delta: {}, finish_reason: 'stop' }]);
  return [delta(text), { waitMs: 20 }, delta(text), end, chunk([], { usage }), 'data: [DONE]\n\n'];
}

function chunk(choices: readonly object[], more: object = {}): string {
  return `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices, ...more })}\n\n`;
}

/** A whole answer, which says that it has used so much. */
export function whole(content: string, usage: object): string {
  const choices = [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }];
  return JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices, usage });
}
