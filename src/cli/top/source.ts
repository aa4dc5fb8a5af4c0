import { top, type WireTop } from '../../../contract/fleet/top.ts';
import type { Fault } from '../../kernel/fault.ts';
import type { Lasting } from '../place/again.ts';

type Look = { readonly top: WireTop } | { readonly away: Fault };

export interface Source {
  /** The one that answered last. */
  readonly server: string;
  /** One look; `away` where the server does not answer now and may later. Throws what will not pass. */
  look(signal: AbortSignal): Promise<Look>;
}

/** A server that does not answer for longer counts as away. */
const timeoutMs = 5_000;

export function openSource(lasting: Lasting): Source {
  let { server } = lasting.context;
  return {
    get server() {
      return server;
    },
    async look(signal) {
      try {
        const seen = await lasting.context.client.request('GET', '/api/top', { schema: top, signal, timeoutMs });
        lasting.answered();
        ({ server } = lasting.context);
        return { top: seen };
      } catch (error) {
        if (signal.aborted) throw error;
        return { away: await lasting.lost(error) };
      }
    },
  };
}
