import { z } from 'zod';
import { toWire } from '../../../../contract/case.ts';
import {
  generateSpec as generateSpecBody,
  messageList,
  reject,
  respond,
  session,
  sessionCreate,
  sessionList,
  spec,
  startBuild as startBuildBody,
  startBuildAnswer,
  type WireSession,
} from '../../../../contract/sessions.ts';
import type { Database, Tx } from '../../../db/database.ts';
import { type Api, byId, callerOf } from '../../../http/route.ts';
import { Fault } from '../../../kernel/fault.ts';
import {
  approveSession,
  cancelSession,
  getSession,
  listMessages,
  listSessions,
  openSession,
  type SessionRow,
  sessionProgress,
} from '../../sessions/index.ts';
import {
  generateSpec,
  getSpec,
  handInCard,
  openPlanning,
  type PlanningRow,
  planningsOf,
  rejectSpec,
  respondTo,
  specsOf,
} from '../../specs/index.ts';
import { startBuild } from '../build.ts';
import { epicsOf } from '../reads.ts';

const read = { need: 'read' } as const;
const write = { need: 'write' } as const;

/**
 * The session API (human in the loop). It stands here, in the latest stage that it touches: a session is shown with its spec and its
 * epic, and start-build makes tickets.
 */
export function hitlRoutes(app: Api, database: Database): void {
  app.post('/hitl', { config: write, schema: { body: sessionCreate, response: { 201: session } } }, async (request, reply) => {
    const { description, project_id, project_name, spec_card } = request.body;
    const made = await database.request(callerOf(request), async tx => {
      const opened = await openSession(tx, { description, projectId: project_id, projectName: project_name });
      // In the same transaction: a card that is refused leaves no session behind.
      if (spec_card !== undefined) return showOne(tx, (await handInCard(tx, opened.id, spec_card)).session);
      await openPlanning(tx, opened);
      return showOne(tx, opened);
    });
    return reply.code(201).send(made);
  });

  app.get('/hitl', { config: read, schema: { response: { 200: sessionList } } }, request =>
    database.request(callerOf(request), async tx => ({ sessions: await show(tx, await listSessions(tx)) })),
  );

  app.get('/hitl/:id', { config: read, schema: { params: byId, response: { 200: session } } }, request =>
    database.request(callerOf(request), async tx => showOne(tx, await getSession(tx, request.params.id))),
  );

  app.get('/hitl/:id/messages', { config: read, schema: { params: byId, response: { 200: messageList } } }, async request => {
    const messages = await database.request(callerOf(request), tx => listMessages(tx, request.params.id));
    return { messages: messages.map(toWire) };
  });

  app.get('/specs/:id', { config: read, schema: { params: byId, response: { 200: spec } } }, async request =>
    toWire(await database.request(callerOf(request), tx => getSpec(tx, request.params.id))),
  );

  decisionRoutes(app, database);
  buildRoutes(app, database);
}

function decisionRoutes(app: Api, database: Database): void {
  const decide = (path: string, verb: (tx: Tx, id: string) => Promise<SessionRow>) =>
    app.post(`/hitl/:id/${path}`, { config: write, schema: { params: byId, response: { 200: session } } }, request =>
      database.request(callerOf(request), async tx => showOne(tx, await verb(tx, request.params.id))),
    );
  decide('approve', approveSession);
  decide('cancel', cancelSession);

  app.post('/hitl/:id/respond', { config: write, schema: { params: byId, body: respond, response: { 200: session } } }, request =>
    database.request(callerOf(request), async tx => showOne(tx, await respondTo(tx, request.params.id, request.body.message))),
  );

  app.post('/hitl/:id/reject', { config: write, schema: { params: byId, body: reject, response: { 200: session } } }, request =>
    database.request(callerOf(request), async tx => showOne(tx, await rejectSpec(tx, request.params.id, request.body.reason))),
  );
}

function buildRoutes(app: Api, database: Database): void {
  const specMade = z.object({
    session,
    spec: spec.nullable().meta({ description: 'null where planning begins again with its questions' }),
  });

  app.post(
    '/hitl/:id/generate-spec',
    { config: write, schema: { params: byId, body: generateSpecBody, response: { 200: specMade } } },
    async request => {
      const { id } = request.params;
      const card = request.body.spec_card;
      return database.request(callerOf(request), async tx => {
        const made = card === undefined ? await generateSpec(tx, id) : await handInCard(tx, id, card);
        return { session: await showOne(tx, made.session), spec: made.spec === undefined ? null : toWire(made.spec) };
      });
    },
  );

  app.post(
    '/hitl/:id/start-build',
    { config: write, schema: { params: byId, body: startBuildBody, response: { 200: startBuildAnswer } } },
    async request => {
      if (request.body?.confirmed !== true) throw new Fault('confirmation_required');
      const build = await database.request(callerOf(request), tx => startBuild(tx, request.params.id));
      return {
        success: true as const,
        state: 'building' as const,
        epic_id: build.epicId,
        ticket_count: build.ticketCount,
        message: `The build has started with ${build.ticketCount} ${build.ticketCount === 1 ? 'ticket' : 'tickets'}`,
      };
    },
  );
}

async function showOne(tx: Tx, row: SessionRow): Promise<WireSession> {
  const [shown] = await show(tx, [row]);
  if (shown === undefined) throw new Error('a session was lost on the way to the wire');
  return shown;
}

async function show(tx: Tx, rows: readonly SessionRow[]): Promise<WireSession[]> {
  const ids = rows.map(row => row.id);
  const [specs, epics, plannings] = [await specsOf(tx, ids), await epicsOf(tx, ids), await planningsOf(tx, ids)];
  return rows.map(row => ({
    ...toWire(row),
    spec_id: specs.get(row.id) ?? null,
    epic_id: epics.get(row.id) ?? null,
    progress: sessionProgress[row.state],
    ...showPlanning(row, plannings.get(row.id)),
  }));
}

function showPlanning({ state }: SessionRow, planning: PlanningRow | undefined): Pick<WireSession, 'planning' | 'waiting_for'> {
  const isAsking = state === 'clarifying' && planning?.state === 'asking';
  return {
    planning: planning === undefined ? null : { state: planning.state, phase: planning.phase, reason: planning.reason },
    waiting_for: isAsking ? 'answers' : state === 'reviewing' ? 'approval' : null,
  };
}
