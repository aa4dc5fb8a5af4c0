type Listener = (event: { readonly type: 'abort' }) => void;

const cancelled = new DOMException('This operation was aborted', 'AbortError');

/** What a tenth of a simulation's time goes into, done with less: each sleep of each loop makes a signal and aborts it. */
class LightSignal {
  aborted = false;
  reason: unknown = undefined;
  readonly #listeners = new Set<Listener>();

  addEventListener(_: 'abort', listener: Listener): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_: 'abort', listener: Listener): void {
    this.#listeners.delete(listener);
  }

  throwIfAborted(): void {
    if (this.aborted) throw this.reason;
  }

  abort(reason: unknown): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener({ type: 'abort' });
  }

  static any(signals: readonly LightSignal[]): LightSignal {
    const either = new LightSignal();
    for (const signal of signals) {
      if (signal.aborted) either.abort(signal.reason);
      else signal.addEventListener('abort', () => either.abort(signal.reason));
    }
    return either;
  }

  /** Of the machine's own time, which no simulated world knows. */
  static timeout(): LightSignal {
    return new LightSignal();
  }
}

class LightController {
  readonly signal = new LightSignal();

  abort(reason: unknown = cancelled): void {
    this.signal.abort(reason);
  }
}

/** While `act` goes on, AbortController and AbortSignal are light ones; nothing but a simulated world may run meanwhile. */
export async function withLightSignals<T>(act: () => Promise<T>): Promise<T> {
  const { AbortController: controller, AbortSignal: signal } = globalThis;
  Object.assign(globalThis, { AbortController: LightController, AbortSignal: LightSignal });
  try {
    return await act();
  } finally {
    Object.assign(globalThis, { AbortController: controller, AbortSignal: signal });
  }
}
