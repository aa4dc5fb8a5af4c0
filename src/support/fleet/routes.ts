import { toWire } from '../../../contract/case.ts';
import { brake, brakePull } from '../../../contract/fleet/brake.ts';
import { limit, limitDelete, limitList, limitPut } from '../../../contract/fleet/limits.ts';
import type { Database } from '../../db/database.ts';
import { type Api, callerOf } from '../../http/route.ts';
import { getBrake, liftBrake, pullBrake } from './brake.ts';
import { listLimits, removeLimit, setLimit } from './limits.ts';
import { wireBrake } from './wire.ts';

const read = { need: 'read' } as const;
const admin = { need: 'admin' } as const;

/** What holds claims back. */
export function fleetRoutes(app: Api, database: Database): void {
  app.get('/limits', { config: read, schema: { response: { 200: limitList } } }, async request => {
    const rows = await database.request(callerOf(request), listLimits);
    return { limits: rows.map(toWire) };
  });

  app.put('/limits', { config: admin, schema: { body: limitPut, response: { 200: limit } } }, async request => {
    const { scope, scope_id: scopeId, runs_max: runsMax } = request.body;
    return toWire(await database.request(callerOf(request), tx => setLimit(tx, { scope, scopeId, runsMax })));
  });

  app.delete('/limits', { config: admin, schema: { querystring: limitDelete, response: { 200: limit } } }, async request => {
    const { scope, scope_id: scopeId } = request.query;
    return toWire(await database.request(callerOf(request), tx => removeLimit(tx, { scope, scopeId })));
  });

  app.get('/brake', { config: read, schema: { response: { 200: brake } } }, async request =>
    wireBrake(await database.request(callerOf(request), getBrake)),
  );

  /** Until a person lifts it. */
  app.post('/brake/pull', { config: admin, schema: { body: brakePull, response: { 200: brake } } }, async request => {
    const caller = callerOf(request);
    const pulled = { reason: request.body.reason, by: caller.actor, dueMs: null };
    return wireBrake(await database.request(caller, tx => pullBrake(tx, pulled)));
  });

  app.post('/brake/lift', { config: admin, schema: { response: { 200: brake } } }, async request =>
    wireBrake(await database.request(callerOf(request), async tx => (await liftBrake(tx)) ?? getBrake(tx))),
  );
}
