import { createClient } from '../../client/index.ts';
import type { Client } from '../../client/index.ts';
import type { Clock } from '../../kernel/clock.ts';

interface Options {
  readonly server: string;
  readonly clock: Clock;
  readonly mintToken: () => Promise<string>;
}

/** Tokens that a server mints for its own worker hold for a day. By the wall clock: a laptop may have slept through the night. */
const renewAfterMs = 43_200_000;

/** A client whose token never ends, for a worker that may run for weeks. A token that was revoked is not replaced. */
export function createRenewingClient({ server, clock, mintToken }: Options): Client {
  let current: { readonly client: Promise<Client>; readonly at: number } | undefined;

  function fresh(): Promise<Client> {
    const now = clock.now();
    if (current === undefined || Math.abs(now - current.at) > renewAfterMs) {
      const client = mintToken().then(token => createClient({ server, token, clock }));
      current = { client, at: now };
      // The next call tries again.
      client.catch(() => {
        current = undefined;
      });
    }
    return current.client;
  }

  return {
    request: async (method, path, options) => (await fresh()).request(method, path, options),
    access: async () => (await fresh()).access(),
  };
}
