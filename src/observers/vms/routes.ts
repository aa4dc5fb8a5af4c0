import { byVm, vm, vmFilter, vmKill, vmList } from '../../../contract/fleet/vms.ts';
import type { Database } from '../../db/database.ts';
import { type Api, callerOf } from '../../http/route.ts';
import { killSandbox } from '../../support/fleet/index.ts';
import { getVm, listVms } from './read.ts';

/** Sandboxes, seen and handled from outside. */
export function vmRoutes(app: Api, database: Database): void {
  const read = { need: 'read' } as const;
  app.get('/vms', { config: read, schema: { querystring: vmFilter, response: { 200: vmList } } }, async request => ({
    vms: await database.request(callerOf(request), tx => listVms(tx, request.query)),
  }));

  app.get('/vms/:id', { config: read, schema: { params: byVm, response: { 200: vm } } }, request =>
    database.request(callerOf(request), tx => getVm(tx, request.params.id)),
  );

  /** Its worker hears it with its next beat, within five seconds; the run in it fails and is tried again as ever. */
  app.post('/vms/:id/kill', { config: { need: 'write' }, schema: { params: byVm, response: { 200: vmKill } } }, async request => {
    const { sandboxId, askedBy, askedAt } = await database.request(callerOf(request), tx => killSandbox(tx, request.params.id));
    return { id: sandboxId, by: askedBy, at: askedAt.toISOString() };
  });
}
