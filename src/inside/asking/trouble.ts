import { APICallError, NoObjectGeneratedError, NoOutputGeneratedError, RetryError } from 'ai';

/** Why there is no answer. `refused`: the model is not there, or may not be asked; `no_shape`: it is not in the shape that it must have. */
export interface Trouble {
  readonly kind: 'refused' | 'no_answer' | 'no_shape' | 'other';
  /** Without a stack and without headers: it is shown to people. */
  readonly message: string;
}

export function troubleOf(error: unknown): Trouble {
  const last = RetryError.isInstance(error) ? error.lastError : error;
  if (APICallError.isInstance(last)) {
    const isFinal = last.statusCode !== undefined && last.statusCode < 500 && ![408, 409, 425, 429].includes(last.statusCode);
    return {
      kind: isFinal ? 'refused' : 'no_answer',
      message: `the gateway answers ${last.statusCode ?? 'nothing'}: ${last.message}`,
    };
  }
  if (NoObjectGeneratedError.isInstance(last))
    return { kind: 'no_shape', message: `no answer of the right shape: ${last.message}` };
  const message = last instanceof Error ? last.message : String(last);
  if (NoOutputGeneratedError.isInstance(last)) return { kind: 'no_answer', message: `the answer broke off: ${message}` };
  return { kind: isOfTheWay(last) ? 'no_answer' : 'other', message };
}

/** Of the way to the gateway, or an answer that was cut off or took too long. */
function isOfTheWay(error: unknown): boolean {
  return (
    error instanceof TypeError ||
    (error instanceof Error && ['AbortError', 'TimeoutError', 'AI_NoContentGeneratedError'].includes(error.name))
  );
}
