import type { Answer, Writer } from './answer.ts';
import { event, pieces } from './pieces.ts';

export const geminiWriter: Writer = {
  *stream(answer) {
    for (const text of pieces(answer.text)) yield event({ ...candidate([{ text }]), ...head(answer) });
    // Calls are never sent in parts on this wire; the last chunk says that it is the last.
    yield event({ ...candidate(call(answer), finishReason(answer)), ...head(answer), usageMetadata: usage(answer) });
  },
  whole: answer => ({
    ...candidate([...(answer.text === '' ? [] : [{ text: answer.text }]), ...call(answer)], finishReason(answer)),
    ...head(answer),
    usageMetadata: usage(answer),
  }),
  count: inputTokens => ({ totalTokens: inputTokens }),
  refusal: (message, status) => ({
    error: { code: status, message, status: status === 400 ? 'INVALID_ARGUMENT' : 'FAILED_PRECONDITION' },
  }),
};

function candidate(parts: readonly object[], finishReason?: string): object {
  // An empty list of parts is no content to some clients.
  const content = { role: 'model', parts: parts.length === 0 ? [{ text: '' }] : parts };
  return { candidates: [{ content, index: 0, ...(finishReason === undefined ? {} : { finishReason }) }] };
}

function head({ id, model }: Answer): object {
  return { modelVersion: model, responseId: id };
}

function call({ call, id }: Answer): object[] {
  return call === null ? [] : [{ functionCall: { id: `call_${id}`, name: call.name, args: call.args } }];
}

function finishReason({ isCutOff }: Answer): string {
  return isCutOff ? 'MAX_TOKENS' : 'STOP';
}

function usage({ usage: { inputTokens, cachedTokens, outputTokens } }: Answer): object {
  return {
    promptTokenCount: inputTokens,
    cachedContentTokenCount: cachedTokens,
    candidatesTokenCount: outputTokens,
    totalTokenCount: inputTokens + outputTokens,
  };
}
