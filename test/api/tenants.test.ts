import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GuardedRoute } from '../../src/http/route.ts';
import { openQuestion } from '../../src/support/questions/index.ts';
import { createToken } from '../../src/support/access/index.ts';
import { query } from '../harness/database.ts';
import { ask } from '../harness/raw.ts';
import { routesOf } from '../harness/routes.ts';
import { type Answer, type Call, type TestApi, testApi } from '../harness/server.ts';
import { approvedSession, card } from '../harness/story.ts';

let api: TestApi;
let routes: readonly GuardedRoute[];
beforeAll(async () => {
  api = await testApi();
  routes = await routesOf(api);
});
afterAll(() => api.stop());

const nobody = '6f4b5f0e-1111-4222-8333-444455556666';

describe("what is another tenant's", () => {
  interface Theirs {
    readonly call: Call;
    readonly ids: Readonly<Record<string, string>>;
    readonly lease: string;
  }
  let theirs: Theirs;

  beforeAll(async () => {
    const tenantId = await api.makeTenant('them');
    const { secret, token } = await api.database.request({ tenantId, actor: 'test' }, tx =>
      createToken(tx, { name: 'them', role: 'admin' }),
    );
    const call = api.callAs(secret);
    const features = Array.from({ length: 7 }, (_, index) => ({ title: `f${index}` }));
    const session = await approvedSession({ call }, card('theirs', features), 'theirs');
    await call('POST', `/api/hitl/${session}/start-build`, { confirmed: true });
    const claimed = await call('POST', '/api/claim', { worker: 'w', wait_ms: 10_000 });
    const { run, ticket, lease } = claimed.body as Record<string, Record<string, string>>;
    const { body } = await call('GET', `/api/hitl/${session}`);
    const result = await call('POST', `/api/specs/${String(body['spec_id'])}/results`, { summary: 'theirs' });
    const budget = await call('PUT', '/api/budgets', { scope: 'run', scope_id: String(run?.['id']), cap_usd: 1 });
    theirs = {
      call,
      lease: String(lease?.['token']),
      ids: {
        hitl: session,
        specs: String(body['spec_id']),
        projects: String(body['project_id']),
        tickets: String(ticket?.['id']),
        runs: String(run?.['id']),
        tokens: token.id,
        results: String(result.body['id']),
        budgets: String(budget.body['id']),
        vms: await sandboxOf(call),
        ...(await workOf(tenantId, String(run?.['id']))),
        ...(await asked(tenantId, String(body['project_id']))),
      },
    };
  });

  /** A review and a change of that run's ticket, as git and the reviews would make them. */
  async function workOf(tenantId: string, runId: string): Promise<{ trunks: string; reviews: string; changes: string }> {
    const one = async (text: string, values: readonly unknown[]): Promise<string> => {
      const [row] = await query<{ id: string }>(api.superuserUrl, text, values);
      if (row === undefined) throw new Error('nothing was stored');
      return row.id;
    };
    const trunk = await one('select id from skep.trunks where tenant_id = $1', [tenantId]);
    const review = await one(
      `insert into skep.reviews (tenant_id, kind, trunk_id, ticket_id, run_id, round, state, head_sha, base_sha, candidate_sha, ended_at)
       select tenant_id, 'submission', $1, ticket_id, id, 1, 'passed', $3, $3, $3, now() from skep.runs where id = $2 returning id`,
      [trunk, runId, theirHead],
    );
    const change = await one(
      `insert into skep.changes (tenant_id, trunk_id, ticket_id, state, approval, head_sha, base_sha, review_id, run_id)
       select tenant_id, $1, ticket_id, 'open', 'needed', $3, $3, $4, id from skep.runs where id = $2 returning id`,
      [trunk, runId, theirHead, review],
    );
    return { trunks: trunk, reviews: review, changes: change };
  }

  /** A sandbox, as a worker tells of it. */
  async function sandboxOf(call: Call): Promise<string> {
    const id = `${nobody}-1`;
    const limits = { memory_bytes: 1, process_count: 1, cpu_count: 1, tmp_bytes: 1, workspace_bytes: 1 };
    const use = { memory_bytes: 1, processes: 1, cpu_ms: 1, workspace_bytes: null };
    const sandboxes = [{ id, run_id: null, state: 'answering', made_at: '2026-01-02T03:04:05Z', limits, use }];
    const beat = { incarnation: nobody, host: 'h', version: '1', slots: 1, is_first: true, sandboxes };
    expect((await call('PUT', '/api/workers/theirs', beat)).status).toBe(200);
    return id;
  }

  /** A question and a note, as an agent would make them. */
  async function asked(tenantId: string, projectId: string): Promise<{ questions: string; memories: string }> {
    const scope = { tenantId, actor: 'test' };
    const subject = { type: 'run', id: nobody };
    const { id } = await api.database.engine(scope, tx =>
      openQuestion(tx, { kind: 'blocker', subject, text: 'x', projectId, defaultAnswer: 'x', dueMs: 3_600_000 }),
    );
    const [memory] = await query<{ id: string }>(
      api.superuserUrl,
      `insert into skep.memories (tenant_id, project_id, kind, text, sha256) values ($1, $2, 'warning', 'x', 'x') returning id`,
      [tenantId, projectId],
    );
    return { questions: id, memories: memory?.id ?? '' };
  }

  const isStream = (url: string) => /\/(log|transcript)$/.test(url);
  const event = '{"type":"message","at":"2026-01-02T03:04:05Z","text":"x"}\n';
  const theirHead = 'a'.repeat(40);
  const bodies: Readonly<Record<string, unknown>> = {
    '/respond': { message: 'x' },
    '/reject': { reason: 'x' },
    '/generate-spec': { spec_card: card('x', [{ title: 'x' }]) },
    '/start-build': { confirmed: true },
    'PATCH /api/projects/:id': { repository: 'https://example.invalid/x' },
    'PUT /api/projects/:id/network': { host: 'x.example' },
    'PATCH /api/tickets/:id': { title: 'x' },
    'PATCH /api/specs/:id': { on_result_found: 'do_nothing' },
    'POST /api/specs/:id/results': { summary: 'x' },
    '/validate': { valid: true },
    '/changes/:id/approve': { head_sha: theirHead },
    '/prepare': { red_base: 'leave_out' },
    '/inspect': {},
    '/answer': { answer: 'x' },
    '/cancel': undefined,
    '/bury': { fence: 1 },
  };

  async function attempt(route: GuardedRoute, id: string): Promise<unknown> {
    const { method, url } = route;
    const path = url.replace(':id', id).replace(':name', 'x') + (isStream(url) ? '?offset=0' : '');
    const upload = { 'skep-lease': theirs.lease };
    const authorization = `Bearer ${api.adminToken}`;
    if (isStream(url) && method === 'POST') {
      const type = url.endsWith('/log') ? 'text/plain' : 'application/x-ndjson';
      return shape(
        await ask(api.url, { method, path, headers: { ...upload, authorization, 'content-type': type }, body: event }),
        id,
      );
    }
    if (/\/(bundle|rescue|artifacts\/:name)$/.test(url) && method === 'PUT') {
      const headers = { ...upload, authorization, 'content-type': 'application/octet-stream' };
      return shape(await ask(api.url, { method, path: `${path}?fence=1`, headers, body: '# v2 git bundle\n' }), id);
    }
    if (url.includes('/repository/')) {
      const headers = { ...upload, authorization, 'content-type': 'application/x-git-upload-pack-request' };
      return shape(await ask(api.url, { method, path: `${path}?service=git-upload-pack`, headers }), id);
    }
    const body = url.endsWith('/events')
      ? { token: theirs.lease, type: 'x' }
      : Object.entries(bodies).find(([key]) => `${method} ${url.replace('/v1/', '/')}`.endsWith(key))?.[1];
    const answer = await ask(api.url, {
      method,
      path,
      headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return shape(answer, id);
  }

  const shape = ({ status, text, headers }: Awaited<ReturnType<typeof ask>>, id: string) => ({
    status,
    text: text.replaceAll(id, 'ID'),
    fault: headers['skep-fault'],
  });

  test('every route with an id answers the same for it as for what is absent', async () => {
    const before = await dump();
    const withId = routes.filter(({ url }) => url.includes(':id'));
    expect(withId.length).toBeGreaterThan(30);
    for (const route of withId) {
      const kind = /\/(\w+)\/:id/.exec(route.url)?.[1] ?? '';
      const id = theirs.ids[kind];
      if (id === undefined) throw new Error(`no ${kind} of the other tenant for ${route.url}`);
      const [there, absent] = [await attempt(route, id), await attempt(route, kind === 'tickets' ? 'TKT-99999' : nobody)];
      expect([route.method, route.url, there]).toEqual([route.method, route.url, absent]);
      expect([route.method, route.url, [404, 409].includes((there as { status: number }).status)]).toEqual([
        route.method,
        route.url,
        true,
      ]);
    }
    expect(await dump()).toEqual(before);
  });

  test('and so does every body and query that names it', async () => {
    const before = await dump();
    const mine = String((await api.call('POST', '/api/projects', { name: 'mine' })).body['id']);
    const { ids, lease } = theirs;
    const pairs: [string, string, (id: string) => unknown, string][] = [
      ['POST', '/api/hitl', id => ({ project_id: id, description: 'x' }), ids['projects'] ?? ''],
      ['POST', '/api/tickets', id => ({ project_id: id, title: 'x' }), ids['projects'] ?? ''],
      ['POST', '/api/tickets', id => ({ project_id: mine, title: 'x', parent_id: id }), ids['tickets'] ?? ''],
      ['POST', '/api/tickets', id => ({ project_id: mine, title: 'x', depends_on: [id] }), ids['tickets'] ?? ''],
      ['POST', '/api/claim', id => ({ worker: 'w', ticket_id: id }), ids['tickets'] ?? ''],
      ...['project', 'spec', 'ticket', 'run'].map((scope): [string, string, (id: string) => unknown, string] => [
        'PUT',
        '/api/budgets',
        id => ({ scope, scope_id: id, cap_usd: 1 }),
        ids[`${scope}s`] ?? '',
      ]),
      ...['heartbeat', 'complete', 'park', 'fail'].map((verb): [string, string, (id: string) => unknown, string] => [
        'POST',
        `/api/${verb}`,
        id => ({ run_id: id, token: lease }),
        ids['runs'] ?? '',
      ]),
    ];
    for (const [method, path, body, id] of pairs) {
      const same = (answer: Answer, id: string) => [answer.status, JSON.stringify(answer.body).replaceAll(id, 'ID')];
      const absent = id.startsWith('TKT') ? 'TKT-99999' : nobody;
      const there = await api.call(method, path, body(id));
      expect([path, ...same(there, id)]).toEqual([path, ...same(await api.call(method, path, body(absent)), absent)]);
      expect([path, there.status < 300 && there.status !== 204]).toEqual([path, false]);
    }
    const filters = [`session_id=${ids['hitl']}`, `spec_id=${ids['specs']}`, `project_id=${ids['projects']}`];
    for (const path of [
      ...filters.map(filter => `/api/tickets?${filter}`),
      `/api/tickets?parent_id=${ids['tickets']}`,
      `/api/runs?ticket_id=${ids['tickets']}`,
      `/api/runs?project_id=${ids['projects']}`,
      ...['reviews', 'changes'].flatMap(kind => [
        `/api/${kind}?ticket_id=${ids['tickets']}`,
        `/api/${kind}?trunk_id=${ids['trunks']}`,
      ]),
      ...[`spec_id=${ids['specs']}`, `project_id=${ids['projects']}`].map(filter => `/api/trunks?${filter}`),
      `/api/questions?ticket_id=${ids['tickets']}`,
      `/api/memories?project_id=${ids['projects']}`,
      `/api/events?subject=${ids['runs']}`,
      `/api/budgets?scope=run&scope_id=${ids['runs']}`,
      ...filters.slice(1).map(filter => `/api/costs?${filter}`),
      `/api/costs?run_id=${ids['runs']}`,
      '/api/projects?name=theirs',
    ]) {
      const { body } = await api.call('GET', path);
      expect([path, Object.values(body).find(Array.isArray)]).toEqual([path, []]);
    }
    const absent = await api.call('GET', `/api/tickets/graph?spec_id=${nobody}`);
    expect((await api.call('GET', `/api/tickets/graph?spec_id=${ids['specs']}`)).body).toEqual(absent.body);
    expect(await dump()).toEqual(before);
  });

  test('nothing of it stands in any list', async () => {
    for (const { url } of routes.filter(
      ({ method, url }) => method === 'GET' && url.startsWith('/api/') && !url.includes(':id'),
    )) {
      if (url.endsWith('/live')) continue;
      const text = JSON.stringify((await api.call('GET', url)).body);
      const seen = Object.values(theirs.ids).filter(id => !id.startsWith('TKT') && text.includes(id));
      expect([url, seen]).toEqual([url, []]);
    }
  });

  /** All that the other tenant has. */
  async function dump(): Promise<unknown> {
    const work = ['trunks', 'reviews', 'changes', 'result_submissions', 'budgets', 'questions', 'memories'];
    const tables = ['projects', 'sessions', 'specs', 'tickets', 'runs', 'tokens', ...work, 'events'];
    const rows = tables.map(table =>
      query(
        api.superuserUrl,
        `select md5(string_agg(t::text, '|' order by t::text)) as sum, count(*) from skep.${table} t
          where tenant_id = (select id from skep.tenants where name = 'them') and to_jsonb(t) ->> 'type' is distinct from 'run.lost'`,
      ),
    );
    // Positions are given later, leases run on.
    return (await Promise.all(rows)).map((each, index) =>
      ['events', 'runs', 'tickets'].includes(tables[index] ?? '') ? (each[0] as { count: string }).count : each,
    );
  }
});
