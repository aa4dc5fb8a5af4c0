import type { Answer, Writer } from './answer.ts';
import { event, pieces } from './pieces.ts';

export const chatWriter: Writer = {
  *stream(answer) {
    const head = { ...completion(answer), object: 'chat.completion.chunk' };
    const say = (delta: object, finish: string | null = null) =>
      event({ ...head, choices: [{ index: 0, delta, finish_reason: finish }] });
    yield say({ role: 'assistant', content: '' });
    for (const piece of pieces(answer.text)) yield say({ content: piece });
    for (const [i, call] of calls(answer).entries()) {
      yield say({ tool_calls: [{ index: i, ...call, function: { ...call.function, arguments: '' } }] });
      for (const piece of pieces(call.function.arguments)) {
        yield say({ tool_calls: [{ index: i, function: { arguments: piece } }] });
      }
    }
    yield say({}, finishReason(answer));
    if (answer.wantsUsage) yield event({ ...head, choices: [], usage: usage(answer) });
    yield 'data: [DONE]\n\n';
  },
  whole: answer => ({
    ...completion(answer),
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: answer.text === '' ? null : answer.text,
          ...(answer.call === null ? {} : { tool_calls: calls(answer) }),
        },
        finish_reason: finishReason(answer),
      },
    ],
    usage: usage(answer),
  }),
  count: inputTokens => ({ input_tokens: inputTokens }),
  refusal: message => ({ error: { message, type: 'invalid_request_error', code: 'recording_mismatch', param: null } }),
};

function calls({ call, id }: Answer) {
  if (call === null) return [];
  return [{ id: `call_${id}`, type: 'function', function: { name: call.name, arguments: JSON.stringify(call.args) } }];
}

function completion({ id, createdS, model }: Answer): object {
  return { id: `chatcmpl-${id}`, created: createdS, model };
}

function finishReason({ call, isCutOff }: Answer): string {
  if (isCutOff) return 'length';
  return call === null ? 'stop' : 'tool_calls';
}

function usage({ usage: { inputTokens, cachedTokens, outputTokens } }: Answer): object {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
    completion_tokens_details: { reasoning_tokens: 0 },
  };
}
