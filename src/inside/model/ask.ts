import { streamText } from 'ai';
import { callMsMax, languageModel, listen, retriesMax } from '../asking/gateway.ts';
import type { Gateway } from '../asking/gateway.ts';
import type { Prompt } from './prompt.ts';

interface Question {
  readonly gateway: Gateway;
  readonly model: string;
  readonly prompt: Prompt;
  /** Tells how it goes, a line at a time. */
  readonly say: (line: string) => void;
}

export interface Answer {
  readonly text: string;
  readonly finishReason: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** One call. Throws what stood in its way. */
export async function ask({ gateway, model, prompt, say }: Question): Promise<Answer> {
  let failure: unknown;
  const result = streamText({
    model: languageModel(gateway, model),
    system: prompt.system,
    prompt: prompt.user,
    maxRetries: retriesMax,
    abortSignal: AbortSignal.timeout(callMsMax),
    onError: ({ error }) => void (failure = error),
  });
  try {
    await listen(result.fullStream, say);
    const { inputTokens = 0, outputTokens = 0 } = await result.totalUsage;
    const [text, finishReason] = [await result.text, await result.finishReason];
    if (failure !== undefined) throw new Error('it broke off');
    return { text, finishReason, inputTokens, outputTokens };
  } catch (error) {
    throw failure ?? error;
  }
}

/** Some put a fence around all that they say, whatever they are asked. */
export function withoutFence(text: string): string {
  const [, inner] = /^\s*```[^\n`]*\n([^]*?)\n?```\s*$/.exec(text) ?? [];
  return inner === undefined || /^```/m.test(inner) ? text : inner;
}
