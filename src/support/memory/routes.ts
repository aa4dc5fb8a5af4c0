import { toWire } from '../../../contract/case.ts';
import { memory, memoryFilter, memoryList, type WireMemory } from '../../../contract/talk/memories.ts';
import type { Database } from '../../db/database.ts';
import { type Api, byId, callerOf } from '../../http/route.ts';
import type { MemoryRow } from './memory.sql.ts';
import { deleteMemory, recallMemories } from './verbs.ts';

export function memoryRoutes(app: Api, database: Database): void {
  app.get(
    '/memories',
    { config: { need: 'read' }, schema: { querystring: memoryFilter, response: { 200: memoryList } } },
    async request => {
      const { project_id, limit } = request.query;
      const rows = await database.request(callerOf(request), tx => recallMemories(tx, project_id, limit));
      return { memories: rows.map(wireMemory) };
    },
  );

  app.delete('/memories/:id', { config: { need: 'write' }, schema: { params: byId, response: { 200: memory } } }, async request =>
    wireMemory(await database.request(callerOf(request), tx => deleteMemory(tx, request.params.id))),
  );
}

function wireMemory(row: MemoryRow): WireMemory {
  return toWire(row);
}
