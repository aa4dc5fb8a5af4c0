import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { id } from '../../contract/fields.ts';
import type { Caller, Need } from '../support/access/index.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a token must be allowed to do here; `nothing` answers everyone. A route without it is refused at start-up. */
    need?: Need | 'nothing';
    /** The content type of bodies and answers that are plain bytes, for the description of the API. */
    takes?: string;
    gives?: string;
  }
  interface FastifyInstance {
    /** Every route there is, as the guard lets it be registered. */
    guardedRoutes: readonly GuardedRoute[];
  }
  interface FastifyRequest {
    caller: Caller | null;
  }
}

export interface GuardedRoute {
  readonly method: string;
  readonly url: string;
  readonly need: Need | 'nothing';
}

/** What routes are registered on. */
export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** The authenticated caller; only on routes that need one. */
export function callerOf(request: Pick<FastifyRequest, 'caller'>): Caller {
  if (request.caller === null) throw new Error('a route without authentication asked who calls');
  return request.caller;
}

export const byId = z.object({ id });
