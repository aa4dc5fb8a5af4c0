import { toWire } from '../../../contract/case.ts';
import { token, tokenCreate, tokenCreated, tokenList } from '../../../contract/tokens.ts';
import type { Database } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { type Api, byId, callerOf } from '../../http/route.ts';
import { createToken, listTokens, revokeToken } from './verbs.ts';

export function tokenRoutes(app: Api, database: Database): void {
  const config = { need: 'admin' } as const;

  app.get('/tokens', { config, schema: { response: { 200: tokenList } } }, async request => {
    const rows = await database.request(callerOf(request), listTokens);
    return { tokens: rows.map(toWire) };
  });

  app.post('/tokens', { config, schema: { body: tokenCreate, response: { 201: tokenCreated } } }, async (request, reply) => {
    const { name, role, expires_in_s } = request.body;
    const made = await database.request(callerOf(request), tx => createToken(tx, { name, role, expiresInS: expires_in_s }));
    failpoint('token-minted');
    return reply.code(201).send({ token: toWire(made.token), secret: made.secret });
  });

  app.delete('/tokens/:id', { config, schema: { params: byId, response: { 200: token } } }, async request =>
    toWire(await database.request(callerOf(request), tx => revokeToken(tx, request.params.id))),
  );
}
