import type { Answer, Writer } from './answer.ts';
import { event, pieces } from './pieces.ts';

export const anthropicWriter: Writer = {
  *stream(answer) {
    const say = (type: string, rest: object) => event({ type, ...rest }, type);
    yield say('message_start', { message: { ...message(answer), usage: { ...usage(answer), output_tokens: 1 } } });
    yield say('ping', {});
    for (const [index, block] of blocks(answer).entries()) {
      yield say('content_block_start', { index, content_block: opened(block) });
      for (const piece of pieces(block.type === 'text' ? block.text : JSON.stringify(block.input))) {
        const delta =
          block.type === 'text' ? { type: 'text_delta', text: piece } : { type: 'input_json_delta', partial_json: piece };
        yield say('content_block_delta', { index, delta });
      }
      yield say('content_block_stop', { index });
    }
    yield say('message_delta', { delta: { stop_reason: stopReason(answer), stop_sequence: null }, usage: usage(answer) });
    yield say('message_stop', {});
  },
  whole: answer => ({
    ...message(answer),
    content: blocks(answer),
    stop_reason: stopReason(answer),
    usage: usage(answer),
  }),
  count: inputTokens => ({ input_tokens: inputTokens }),
  refusal: message => ({ type: 'error', error: { type: 'invalid_request_error', message } }),
};

type Block =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: object };

function blocks({ text, call, id }: Answer): Block[] {
  return [
    ...(text === '' ? [] : [{ type: 'text' as const, text }]),
    ...(call === null ? [] : [{ type: 'tool_use' as const, id: `toolu_${id}`, name: call.name, input: call.args }]),
  ];
}

function opened(block: Block): object {
  return block.type === 'text' ? { ...block, text: '' } : { ...block, input: {} };
}

function message({ id, model }: Answer): object {
  return {
    id: `msg_${id}`,
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
  };
}

function stopReason({ call, isCutOff }: Answer): string {
  if (isCutOff) return 'max_tokens';
  return call === null ? 'end_turn' : 'tool_use';
}

function usage({ usage: { inputTokens, cachedTokens, outputTokens } }: Answer): object {
  return {
    input_tokens: inputTokens - cachedTokens,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: cachedTokens,
    output_tokens: outputTokens,
  };
}
