import { leaseHeader } from '../../../contract/runs.ts';
import { type ReportTool, reportToolNames } from '../../../contract/talk/report-back.ts';
import type { Wire } from '../../../src/gateway/upstream.ts';
import { askOf } from '../../harness/model-answers.ts';
import type { RawRequest } from '../../harness/raw.ts';

/** What whoever holds a run, or believes that he does, has in his hands. */
export interface Hand {
  readonly apiToken: string;
  readonly leaseToken: string;
  /** What its sandbox shows. */
  readonly runToken: string;
  readonly runId: string;
  readonly ticketId: string;
  readonly commit: string;
}

/** One way in which a holder changes something, or gets something that only a holder may have. */
export interface Write {
  readonly name: string;
  /** As the router has it, without the prefix of the version. */
  readonly route: string;
  /** What it is believed for: a lease, the token of a run, or the token of a worker alone. */
  readonly by: 'lease' | 'run token' | 'worker token';
  /** It waits for a person, so that its rightful holder cannot be shown to get an answer. */
  readonly isSlow?: boolean;
  request(hand: Hand): RawRequest;
}

/** Every one that there is; a test compares it with the routes of the application. */
export const writes: readonly Write[] = [...claims(), ...ofLease(), ...uploads(), ...fetches(), ...calls(), ...reports()];

/** Routes of workers that no lease guards, and why that is right. */
export const unguarded: Readonly<Record<string, string>> = {
  'GET /api/runs/:id/conversation': 'reads, for whoever holds a later run of the same work',
  'PUT /api/workers/:name': 'a worker speaks of itself, and holds nothing by that',
  'PUT /api/runs/:id/rescue': 'keeps what a dead worker left, under the fence of its claim, and changes nothing of the run',
  'POST /api/runs/:id/bury': 'says by its fence which claim is over: as if that lease had run out',
};

function claims(): Write[] {
  const claim = (hand: Hand) => json(hand, '/api/claim', { worker: 'zombie', ticket_id: hand.ticketId });
  return [{ name: 'claim', route: 'POST /api/claim', by: 'worker token', request: claim }];
}

function ofLease(): Write[] {
  const post = (name: string, path: string, more: object = {}): Write => ({
    ...{ name, route: `POST /api/${path}`, by: 'lease' },
    request: hand => json(hand, `/api/${path}`, { run_id: hand.runId, token: hand.leaseToken, ...more }),
  });
  return [
    post('heartbeat', 'heartbeat'),
    post('it starts', 'heartbeat', { state: 'starting', sandbox: 'zombie' }),
    post('it works', 'heartbeat', { state: 'working', sandbox: 'zombie' }),
    ...['zombie.seen', 'phase.started'].map(
      (type): Write => ({
        ...{ name: `event ${type}`, route: 'POST /api/runs/:id/events', by: 'lease' },
        request: hand =>
          json(hand, `/api/runs/${hand.runId}/events`, { token: hand.leaseToken, type, payload: { phase: 'stream' } }),
      }),
    ),
    post('completion', 'complete', { result: { summary: 'by a zombie' } }),
    post('parking', 'park', { result: { summary: 'by a zombie' } }),
    post('failure', 'fail', { class: 'agent_failed', message: 'by a zombie' }),
    post('handing back', 'fail', { class: 'stopped', message: 'by a zombie' }),
  ];
}

function uploads(): Write[] {
  const upload = (name: string, [method, path, type]: readonly [string, string, string], body: string): Write => ({
    ...{ name, route: `${method} /api/runs/:id/${path.replace(/\?.*/, '').replace('conversation', ':name')}`, by: 'lease' },
    request: hand => ({
      method,
      path: `/api/runs/${hand.runId}/${path}`,
      headers: { ...known(hand), [leaseHeader]: hand.leaseToken, 'content-type': type },
      body,
    }),
  });
  const bytes = 'application/octet-stream';
  return [
    upload('log', ['POST', 'log?offset=0', 'text/plain'], 'a zombie was here\n'),
    upload(
      'transcript',
      ['POST', 'transcript?offset=0', 'application/x-ndjson'],
      `${JSON.stringify({ type: 'message', at: '2026-01-02T03:04:05.000Z', text: 'a zombie was here' })}\n`,
    ),
    upload('bundle', ['PUT', 'bundle', bytes], '# v2 git bundle\nof a zombie'),
    upload('artifact', ['PUT', 'artifacts/conversation', bytes], 'of a zombie'),
  ];
}

/** They read, but what they give is the holder's alone. */
function fetches(): Write[] {
  const headers = (hand: Hand) => ({ ...known(hand), [leaseHeader]: hand.leaseToken, 'git-protocol': 'version=2' });
  return [
    {
      ...{ name: 'fetch, first', route: 'GET /api/runs/:id/repository/info/refs', by: 'lease' },
      request: hand => ({
        path: `/api/runs/${hand.runId}/repository/info/refs?service=git-upload-pack`,
        headers: headers(hand),
      }),
    },
    {
      ...{ name: 'fetch, second', route: 'POST /api/runs/:id/repository/git-upload-pack', by: 'lease' },
      request: hand => ({
        method: 'POST',
        path: `/api/runs/${hand.runId}/repository/git-upload-pack`,
        headers: { ...headers(hand), 'content-type': 'application/x-git-upload-pack-request' },
        body: `0011command=fetch00010032want ${hand.commit}\n0009done\n0000`,
      }),
    },
  ];
}

function calls(): Write[] {
  const routes: Readonly<Record<Wire, string>> = {
    anthropic: '/gateway/v1/messages',
    chat: '/gateway/v1/chat/completions',
    responses: '/gateway/v1/responses',
    gemini: '/gateway/v1beta/*',
  };
  const call = (name: string, route: string, { path, body }: { path: string; body: object }): Write => ({
    ...{ name, route: `POST ${route}`, by: 'run token' },
    request: hand => ofSandbox(hand, path, body),
  });
  const counted = { ...askOf('anthropic'), path: '/gateway/v1/messages/count_tokens' };
  return [
    ...Object.entries(routes).map(([wire, route]) => call(`call of a model, ${wire}`, route, askOf(wire as Wire))),
    call('count of tokens', counted.path, counted),
    call('call of nothing', '/gateway/*', { path: '/gateway/v1/nothing', body: {} }),
  ];
}

/** What an agent says; the last one first, since after a blocker its run is halted. */
function reports(): Write[] {
  const args: Readonly<Record<ReportTool, object>> = {
    get_context: {},
    save_memory: { kind: 'warning', text: 'a zombie was here' },
    submit_result: { status: 'done', summary: 'by a zombie' },
    ask_human: { question: 'Is anybody there?', default: 'no' },
    report_blocker: { reason: 'it is dead' },
  };
  return reportToolNames.flatMap((tool): Write[] => [
    {
      ...{ name: `${tool} as JSON`, route: 'POST /gateway/report/:tool', by: 'run token', isSlow: tool === 'ask_human' },
      request: hand => ofSandbox(hand, `/gateway/report/${tool}`, args[tool]),
    },
    {
      ...{ name: `${tool} over MCP`, route: 'POST /gateway/mcp', by: 'run token', isSlow: tool === 'ask_human' },
      request: hand =>
        ofSandbox(hand, '/gateway/mcp', {
          ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
          params: { name: tool, arguments: args[tool] },
        }),
    },
  ]);
}

function ofSandbox({ runToken }: Hand, path: string, body: object): RawRequest {
  const headers = { authorization: `Bearer ${runToken}`, accept: 'application/json, text/event-stream' };
  return { method: 'POST', path, headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) };
}

function json(hand: Hand, path: string, body: object): RawRequest {
  const headers = { ...known(hand), 'content-type': 'application/json' };
  return { method: 'POST', path, headers, body: JSON.stringify(body) };
}

function known({ apiToken }: Hand): Record<string, string> {
  return { authorization: `Bearer ${apiToken}` };
}
