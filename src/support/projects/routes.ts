import { z } from 'zod';
import { fromWire, toWire } from '../../../contract/case.ts';
import { networkRule } from '../../../contract/network/rules.ts';
import { project, projectCreate, projectEdit, projectList } from '../../../contract/projects.ts';
import type { Database } from '../../db/database.ts';
import { type Api, byId, callerOf } from '../../http/route.ts';
import { allowHost, removeRule } from './network.ts';
import { createProject, editProject, getProject, listProjects } from './verbs.ts';

/** A rule's host, with its port where it has one. */
const byRule = byId.extend({ name: z.string().min(1).max(300) });

const filter = z.object({ name: z.string().max(200).optional() });

export function projectRoutes(app: Api, database: Database): void {
  app.get(
    '/projects',
    { config: { need: 'read' }, schema: { querystring: filter, response: { 200: projectList } } },
    async request => {
      const rows = await database.request(callerOf(request), tx => listProjects(tx, request.query.name));
      return { projects: rows.map(toWire) };
    },
  );

  app.post(
    '/projects',
    { config: { need: 'write' }, schema: { body: projectCreate, response: { 201: project } } },
    async (request, reply) => {
      const made = await database.request(callerOf(request), tx => createProject(tx, fromWire(request.body)));
      return reply.code(201).send(toWire(made));
    },
  );

  app.get('/projects/:id', { config: { need: 'read' }, schema: { params: byId, response: { 200: project } } }, async request =>
    toWire(await database.request(callerOf(request), tx => getProject(tx, request.params.id))),
  );

  app.patch(
    '/projects/:id',
    { config: { need: 'write' }, schema: { params: byId, body: projectEdit, response: { 200: project } } },
    async request =>
      toWire(await database.request(callerOf(request), tx => editProject(tx, request.params.id, fromWire(request.body)))),
  );

  app.put(
    '/projects/:id/network',
    { config: { need: 'write' }, schema: { params: byId, body: networkRule, response: { 200: project } } },
    async request => toWire(await database.request(callerOf(request), tx => allowHost(tx, request.params.id, request.body))),
  );

  app.delete(
    '/projects/:id/network/:name',
    { config: { need: 'write' }, schema: { params: byRule, response: { 200: project } } },
    async request =>
      toWire(await database.request(callerOf(request), tx => removeRule(tx, request.params.id, request.params.name))),
  );
}
