/** Tokens as an agent counts them. Agents count differently, and some do not. */
export interface Used {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** A count that an agent sent; undefined where it is none. */
export function usedIn(counted: unknown): Used | undefined {
  if (typeof counted !== 'object' || counted === null) return undefined;
  const { inputTokens, outputTokens, input_tokens, output_tokens } = counted as Readonly<Record<string, unknown>>;
  return { inputTokens: whole(inputTokens ?? input_tokens), outputTokens: whole(outputTokens ?? output_tokens) };
}

/** Of agents that count each answer of the model. */
export function createCount(): { add(counted: unknown): void; sum(): Used } {
  let inputTokens = 0;
  let outputTokens = 0;
  return {
    add(counted) {
      const used = usedIn(counted);
      inputTokens += used?.inputTokens ?? 0;
      outputTokens += used?.outputTokens ?? 0;
    },
    sum: () => ({ inputTokens, outputTokens }),
  };
}

function whole(value: unknown): number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0;
}
