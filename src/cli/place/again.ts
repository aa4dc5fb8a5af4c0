import { isFault, type Fault } from '../../kernel/fault.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';

/** The server of a command that goes on for long, also when it is started anew meanwhile. */
export interface Lasting {
  /** As it is now: a server of this machine may come back with another token, or at another address. */
  readonly context: Context;
  answered(): void;
  /** After a call that failed; answers why, where that may pass. Throws the error where it will not, or has not for too long. */
  lost(error: unknown): Promise<Fault>;
}

/** A server of this machine that ends takes its token back, and leaves another when it starts again. */
const tokenPatienceMs = 10_000;

/** Before the first answer whatever is wrong is thrown at once; later on what may pass is waited for, `patienceMs` long. */
export function createLasting(
  world: World,
  options: RemoteOptions,
  { first, patienceMs = Infinity }: { readonly first: Context; readonly patienceMs?: number },
): Lasting {
  let context = first;
  let answeredAt: number | undefined;

  function isPassing({ code, kind }: Fault): boolean {
    if (answeredAt === undefined) return false;
    const silentMs = world.clock.mono() - answeredAt;
    return (kind.retry && silentMs < patienceMs) || (code === 'unauthenticated' && silentMs < tokenPatienceMs);
  }

  return {
    get context() {
      return context;
    },
    answered() {
      answeredAt = world.clock.mono();
    },
    async lost(error) {
      if (!isFault(error) || !isPassing(error)) throw error;
      context = await connect(world, options, { mayStart: false });
      return error;
    },
  };
}
