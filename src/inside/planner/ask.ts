import { NoObjectGeneratedError, Output, streamText } from 'ai';
import type { FlexibleSchema, ModelMessage } from 'ai';
import { callMsMax, languageModel, listen, retriesMax } from '../asking/gateway.ts';
import type { Gateway } from '../asking/gateway.ts';
import type { Prompt } from './prompts.ts';

export interface Question {
  readonly gateway: Gateway;
  readonly model: string;
  readonly prompt: Prompt;
  readonly schema: FlexibleSchema<object>;
  /** Tells how it goes, a line at a time. */
  readonly say: (line: string) => void;
}

/** Of an answer that is shown to the model once more. */
const shownLengthMax = 20_000;

/** Asks until the answer is of the shape, twice at most. Throws NoObjectGeneratedError where it is not then. */
export async function ask({ prompt, say, ...question }: Question): Promise<object> {
  const messages: ModelMessage[] = [{ role: 'user', content: prompt.user }];
  try {
    return await call({ ...question, say, system: prompt.system, messages });
  } catch (error) {
    if (!NoObjectGeneratedError.isInstance(error)) throw error;
    say(`the answer is not of the shape that it must have; it is asked for once more: ${whyNot(error)}`);
    const mend = `That is not of the shape that it must have:\n${whyNot(error)}\nAnswer with the whole document again, mended.`;
    const said = (error.text ?? '').slice(0, shownLengthMax) || '(nothing)';
    return call({
      ...question,
      say,
      system: prompt.system,
      messages: [...messages, { role: 'assistant', content: said }, { role: 'user', content: mend }],
    });
  }
}

interface Call extends Omit<Question, 'prompt'> {
  readonly system: string;
  readonly messages: ModelMessage[];
}

async function call({ gateway, model, schema, system, messages, say }: Call): Promise<object> {
  let failure: unknown;
  // As a stream: an answer of minutes without a byte would be taken for one that does not come.
  const result = streamText({
    model: languageModel(gateway, model),
    system,
    messages,
    output: Output.object({ schema, name: 'plan' }),
    maxRetries: retriesMax,
    abortSignal: AbortSignal.timeout(callMsMax),
    onError: ({ error }) => void (failure = error),
  });
  try {
    const length = await listen(result.fullStream, say);
    const output = await result.output;
    say(`an answer of ${length} characters`);
    return output;
  } catch (error) {
    throw failure ?? error;
  }
}

function whyNot({ cause, message }: NoObjectGeneratedError): string {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return (inner instanceof Error ? inner.message : message).slice(0, 2_000);
}
