import { executionStatus } from '../../../contract/progress.ts';
import type { Database } from '../../db/database.ts';
import { type Api, byId, callerOf } from '../../http/route.ts';
import { getSpec } from '../../stages/specs/index.ts';
import { ticketsByStatus } from './progress.sql.ts';

/** How far the building of a spec has come: a read over several stages. */
export function progressRoutes(app: Api, database: Database): void {
  const schema = { params: byId, response: { 200: executionStatus } };
  app.get('/specs/:id/execution-status', { config: { need: 'read' }, schema }, request => {
    const caller = callerOf(request);
    return database.request(caller, async tx => {
      const spec = await getSpec(tx, request.params.id);
      const rows = await tx.query(ticketsByStatus, [caller.tenantId, spec.id]);
      const counts = Object.fromEntries(rows.map(row => [row.status, row.count]));
      const total = rows.reduce((sum, row) => sum + row.count, 0);
      const completed = counts['completed'] ?? 0;
      const percent = total === 0 ? 0 : Math.floor((100 * completed) / total);
      return { spec_id: spec.id, status: spec.status, phase: spec.phase, counts, progress: { total, completed, percent } };
    });
  });
}
