import type { ToolCall } from '../tools/index.ts';
import type { Answer, Writer } from './answer.ts';
import { event, pieces } from './pieces.ts';

/** Writes an event of the stream; each has its number. */
type Say = (type: string, rest: object) => string;

export const responsesWriter: Writer = {
  *stream(answer) {
    let number = 0;
    const say: Say = (type, rest) => event({ type, sequence_number: number++, ...rest }, type);
    const begun = { ...response(answer), status: 'in_progress', output: [], usage: null };
    yield say('response.created', { response: begun });
    yield say('response.in_progress', { response: begun });
    for (const [i, item] of items(answer).entries()) {
      yield say('response.output_item.added', { output_index: i, item: opened(item) });
      if (item.type === 'message') yield* message(item, i, say);
      if (item.type === 'function_call') yield* functionCall(item, i, say);
      yield say('response.output_item.done', { output_index: i, item });
    }
    yield say(answer.isCutOff ? 'response.incomplete' : 'response.completed', { response: response(answer) });
  },
  whole: response,
  count: inputTokens => ({ object: 'response.input_tokens', input_tokens: inputTokens }),
  refusal: message => ({ error: { message, type: 'invalid_request_error', code: 'recording_mismatch', param: null } }),
};

interface Part {
  readonly type: 'output_text';
  readonly text: string;
  readonly annotations: readonly [];
}

interface Message {
  readonly type: 'message';
  readonly id: string;
  readonly role: 'assistant';
  readonly status: 'completed';
  readonly content: readonly [Part];
}

interface FunctionCall {
  readonly type: 'function_call';
  readonly id: string;
  readonly call_id: string;
  readonly name: string;
  readonly namespace?: string;
  readonly arguments: string;
  readonly status: 'completed';
}

type Item = Message | FunctionCall | { readonly type: 'tool_search_call' | 'local_shell_call'; readonly id: string };

function* message({ id, content: [part] }: Message, index: number, say: Say): Generator<string> {
  const at = { item_id: id, output_index: index, content_index: 0 };
  yield say('response.content_part.added', { ...at, part: { ...part, text: '' } });
  for (const delta of pieces(part.text)) yield say('response.output_text.delta', { ...at, delta, logprobs: [] });
  yield say('response.output_text.done', { ...at, text: part.text, logprobs: [] });
  yield say('response.content_part.done', { ...at, part });
}

function* functionCall({ id, name, arguments: args }: FunctionCall, index: number, say: Say): Generator<string> {
  const at = { item_id: id, output_index: index };
  for (const delta of pieces(args)) yield say('response.function_call_arguments.delta', { ...at, delta });
  yield say('response.function_call_arguments.done', { ...at, name, arguments: args });
}

function opened(item: Item): object {
  if (item.type === 'message') return { ...item, status: 'in_progress', content: [] };
  return item.type === 'function_call' ? { ...item, status: 'in_progress', arguments: '' } : { ...item, status: 'in_progress' };
}

function items({ text, call, id }: Answer): Item[] {
  const said: Message = {
    type: 'message',
    id: `msg_${id}`,
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text, annotations: [] }],
  };
  return [...(text === '' ? [] : [said]), ...(call === null ? [] : [called(call, id)])];
}

function called({ kind, name, namespace, args }: ToolCall, id: string): Item {
  const made = { call_id: `call_${id}`, status: 'completed' as const };
  // The agent itself carries these out, as it does with functions.
  if (kind === 'tool_search')
    return { type: 'tool_search_call', id: `tsc_${id}`, execution: 'client', arguments: args, ...made } as Item;
  if (kind === 'local_shell') return { type: 'local_shell_call', id: `lsh_${id}`, action: args, ...made } as Item;
  return {
    type: 'function_call',
    id: `fc_${id}`,
    name,
    ...(namespace === undefined ? {} : { namespace }),
    arguments: JSON.stringify(args),
    ...made,
  };
}

function response(answer: Answer): object {
  const { id, createdS, model, isCutOff, usage } = answer;
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: createdS,
    model,
    status: isCutOff ? 'incomplete' : 'completed',
    error: null,
    incomplete_details: isCutOff ? { reason: 'max_output_tokens' } : null,
    output: items(answer),
    parallel_tool_calls: false,
    usage: {
      input_tokens: usage.inputTokens,
      input_tokens_details: { cached_tokens: usage.cachedTokens },
      output_tokens: usage.outputTokens,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: usage.inputTokens + usage.outputTokens,
    },
  };
}
