import { top } from '../../../contract/fleet/top.ts';
import type { Database } from '../../db/database.ts';
import { type Api, callerOf } from '../../http/route.ts';
import { readTop } from './read.ts';

/** One look at all that runs, waits and holds back: what `skep top` shows. */
export function topRoutes(app: Api, database: Database): void {
  app.get('/top', { config: { need: 'read' }, schema: { response: { 200: top } } }, request =>
    readTop(database, callerOf(request)),
  );
}
