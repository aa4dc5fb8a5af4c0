import { toWire } from '../../../../contract/case.ts';
import { inspect, inspection, trunk, trunkFilter, trunkList, trunkPrepare, type WireTrunk } from '../../../../contract/trunks.ts';
import { type Api, byId, callerOf } from '../../../http/route.ts';
import { getProject } from '../../../support/projects/index.ts';
import { branchToBe, getTrunk, listTrunks, prepareAgain, type TrunkRow } from '../../../support/repositories/index.ts';
import { lookAt, type ReviewParts } from '../../reviews/index.ts';
import { publishTrunk } from '../publish.ts';
import { ensureCommits } from '../repository/ensure.ts';

const read = { need: 'read' } as const;
const write = { need: 'write' } as const;
const logLinesMax = 2_000;

/** The branches that work is merged into, and a look at a repository before there is one. */
export function trunkRoutes(app: Api, parts: ReviewParts): void {
  const { database } = parts;
  app.get('/trunks', { config: read, schema: { querystring: trunkFilter, response: { 200: trunkList } } }, async request => {
    const { spec_id: specId, project_id: projectId } = request.query;
    const rows = await database.request(callerOf(request), tx => listTrunks(tx, { specId, projectId }));
    return { trunks: rows.map(wireTrunk) };
  });

  app.get('/trunks/:id', { config: read, schema: { params: byId, response: { 200: trunk } } }, async request =>
    wireTrunk(await database.request(callerOf(request), tx => getTrunk(tx, request.params.id))),
  );

  app.post(
    '/trunks/:id/prepare',
    { config: write, schema: { params: byId, body: trunkPrepare, response: { 200: trunk } } },
    async request => {
      const { red_base: redBase } = request.body;
      return wireTrunk(await database.request(callerOf(request), tx => prepareAgain(tx, request.params.id, redBase)));
    },
  );

  app.post('/trunks/:id/publish', { config: write, schema: { params: byId, response: { 200: trunk } } }, async request => {
    const caller = callerOf(request);
    // Of the caller's own tenant, or not found.
    const { id } = await database.request(caller, tx => getTrunk(tx, request.params.id));
    await publishTrunk(parts, caller.tenantId, id);
    return wireTrunk(await database.request(caller, tx => getTrunk(tx, id)));
  });

  logRoute(app, parts);
  inspectRoute(app, parts);
}

function logRoute(app: Api, parts: ReviewParts): void {
  const config = { ...read, gives: 'text/plain' };
  app.get('/trunks/:id/log', { config, schema: { params: byId } }, async (request, reply) => {
    const { baseSha, headSha, ...owner } = await parts.database.request(callerOf(request), tx => getTrunk(tx, request.params.id));
    const answer = reply.type('text/plain; charset=utf-8').header('x-content-type-options', 'nosniff');
    if (baseSha === null || headSha === null || baseSha === headSha) return answer.send('');
    const repo = await ensureCommits(parts, owner, [headSha]);
    return answer.send(await repo.history.log(baseSha, headSha, { graph: true, max: logLinesMax }));
  });
}

function inspectRoute(app: Api, parts: ReviewParts): void {
  const schema = { params: byId, body: inspect, response: { 200: inspection } };
  app.post('/projects/:id/inspect', { config: write, schema }, async request => {
    const { project, branch } = await parts.database.request(callerOf(request), async tx => ({
      project: await getProject(tx, request.params.id),
      branch: await branchToBe(tx, request.params.id, request.body.title),
    }));
    const { repository } = project;
    const { commit, isEmpty, checks, notes } = await lookAt(parts, project, branch);
    return { repository, commit: isEmpty ? null : commit, branch, checks: [...checks], notes: [...notes] };
  });
}

function wireTrunk(row: TrunkRow): WireTrunk {
  return toWire(row);
}
