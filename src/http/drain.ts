import type { FastifyInstance } from 'fastify';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** How this server goes without cutting anybody off. */
    readonly drain: Drain;
  }
}

export interface Drain {
  /** From here on it is not ready: whoever shares work out among servers should leave it out. Everything is answered all the same. */
  begin(): void;
  readonly hasBegun: boolean;
  /** Resolves when no request is being answered, or after `graceMs`; from then on every request is refused as `shutting_down`. */
  finish(graceMs: number): Promise<void>;
}

/** Comes before every other hook, so that whoever is refused here costs nothing. */
export function drainable(app: FastifyInstance, clock: Clock): void {
  const idle = new AbortController();
  let requests = 0;
  let hasBegun = false;
  let isClosed = false;
  let isFinishing = false;

  function close(): void {
    isClosed = true;
    idle.abort();
  }

  // The answer's end and not its last hook: that one is left out for a client that goes away. Live sockets are no requests.
  app.server.on('request', (_request, answer) => {
    requests += 1;
    answer.once('close', () => {
      requests -= 1;
      // In the moment in which the last one ends, so that none begins between that and the refusal.
      if (isFinishing && requests === 0) close();
    });
  });
  app.addHook('onRequest', async () => {
    if (isClosed)
      throw new Fault('shutting_down', { hint: 'Ask again in a moment: another server answers, or this one is back' });
  });
  app.decorate('drain', {
    begin() {
      hasBegun = true;
    },
    get hasBegun() {
      return hasBegun;
    },
    async finish(graceMs) {
      hasBegun = true;
      isFinishing = true;
      if (requests === 0) close();
      await clock.sleep(graceMs, idle.signal);
      close();
    },
  });
}
