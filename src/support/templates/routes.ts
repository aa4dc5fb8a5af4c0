import { toWire } from '../../../contract/case.ts';
import { routerAnswer, routerPut } from '../../../contract/templates/router.ts';
import {
  templateByName,
  templateList,
  templatePut,
  templateShown,
  templatesPut,
  template,
  templateVersion,
} from '../../../contract/templates/wire.ts';
import type { RunLimits } from '../../../contract/runs.ts';
import type { Database } from '../../db/database.ts';
import { type Api, callerOf } from '../../http/route.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { excessOf } from './model/excess.ts';
import { getTemplate, listTemplates, templateHistory } from './reads.ts';
import { getRouter, setRouter } from './router.ts';
import { putTemplates, removeTemplate, templatesMax, usersOf } from './verbs.ts';

const read = { need: 'read' } as const;
const write = { need: 'write' } as const;

interface TemplateParts {
  readonly database: Database;
  /** Of the server, for every run. */
  readonly settings: { readonly limits: RunLimits };
}

export function templateRoutes(app: Api, { database, settings }: TemplateParts): void {
  app.get('/templates', { config: read, schema: { response: { 200: templateList } } }, async request => {
    const rows = await database.request(callerOf(request), tx => listTemplates(tx, templatesMax));
    return { templates: rows.map(toWire) };
  });

  app.post('/templates', { config: write, schema: { body: templatePut, response: { 200: templatesPut } } }, async request => {
    const put = await database.request(callerOf(request), tx => putTemplates(tx, request.body.documents));
    failpoint('template-put');
    return {
      templates: put.map(({ row, isNew }) => {
        const { id, name, version } = row;
        return { id, name, version, is_new: isNew, warnings: excessOf(row, settings.limits) };
      }),
    };
  });

  app.get(
    '/templates/:name',
    { config: read, schema: { params: templateByName, querystring: templateVersion, response: { 200: templateShown } } },
    async request =>
      database.request(callerOf(request), async tx => {
        const row = await getTemplate(tx, request.params.name, request.query.version);
        return { ...toWire(row), used_by: await usersOf(tx, row.name) };
      }),
  );

  app.get(
    '/templates/:name/versions',
    { config: read, schema: { params: templateByName, response: { 200: templateList } } },
    async request => {
      const rows = await database.request(callerOf(request), tx => templateHistory(tx, request.params.name));
      return { templates: rows.map(toWire) };
    },
  );

  app.delete(
    '/templates/:name',
    { config: write, schema: { params: templateByName, response: { 200: template } } },
    async request => toWire(await database.request(callerOf(request), tx => removeTemplate(tx, request.params.name))),
  );

  app.get('/router', { config: read, schema: { response: { 200: routerAnswer } } }, async request => ({
    router: await database.request(callerOf(request), getRouter),
  }));

  /** Of all projects that say nothing themselves: as wide as a limit. */
  app.put(
    '/router',
    { config: { need: 'admin' }, schema: { body: routerPut, response: { 200: routerAnswer } } },
    async request => {
      const router = await database.request(callerOf(request), tx => setRouter(tx, request.body.router));
      failpoint('router-set');
      return { router };
    },
  );
}
