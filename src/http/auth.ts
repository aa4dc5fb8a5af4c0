import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Database } from '../db/database.ts';
import { Fault } from '../kernel/fault.ts';
import { authenticate, type Caller, mayDo, rolesThatMay } from '../support/access/index.ts';
import type { GuardedRoute } from './route.ts';

/** Everything answers only to a valid token, but for routes that say so themselves; a route that says nothing cannot be registered. */
export function guard(app: FastifyInstance, database: Database): void {
  const guarded: GuardedRoute[] = [];
  app.decorate('guardedRoutes', guarded);
  app.decorateRequest('caller', null);
  app.addHook('onRoute', ({ method, url, config }) => {
    const need = config?.need;
    if (need === undefined) throw new Error(`${String(method)} ${url} does not say what it needs (config.need)`);
    guarded.push(...[method].flat().map(each => ({ method: each, url, need })));
  });
  app.addHook('onRequest', async request => {
    const need = request.routeOptions.config.need;
    if (need === 'nothing') return;
    const caller = await identify(request, database);
    // What does not exist has no need; whoever asks must still say who they are.
    if (need !== undefined && !mayDo(caller.role, need)) {
      throw new Fault('forbidden', {
        message: `A ${caller.role} token may not do that`,
        hint: `It needs a token of the role ${rolesThatMay(need).join(' or ')}`,
      });
    }
    request.caller = caller;
  });
}

async function identify(request: FastifyRequest, database: Database): Promise<Caller> {
  const secret = bearerOf(request);
  if (secret === undefined) {
    throw new Fault('unauthenticated', {
      hint: 'Send the header "Authorization: Bearer TOKEN"; skep start prints the first token once',
    });
  }
  return authenticate(database, secret);
}

const bearer = /^Bearer ([\w.~+/-]{1,200}=*)$/i;
const protocolBearer = /^bearer\.([\w.~-]{1,200})$/;

/** The header; or, since a browser's WebSocket can send no header, a subprotocol `bearer.TOKEN`. Never the URL: it is logged. */
function bearerOf(request: FastifyRequest): string | undefined {
  const fromHeader = bearer.exec(request.headers.authorization ?? '')?.[1];
  if (fromHeader !== undefined || request.headers.upgrade === undefined) return fromHeader;
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(/,\s*/);
  return offered.map(protocol => protocolBearer.exec(protocol)?.[1]).find(secret => secret !== undefined);
}
