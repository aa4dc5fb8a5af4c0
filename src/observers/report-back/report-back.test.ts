import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { query } from '../../../test/harness/database.ts';
import { held, reportBack, textOf } from '../../../test/harness/report-back.ts';
import { type TestApi, testApi } from '../../../test/harness/server.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi({ SKEP_LEASE_MS: '600000' });
});
afterAll(() => api.stop());

const { claimed, claim, projectOf, connect, call, report, questions, answer } = reportBack(() => api);

describe('MCP', () => {
  test('lists its tools with the limits of their arguments, and can be probed', async () => {
    const client = await connect((await claimed()).gateway.token);
    await client.ping();
    const { tools } = await client.listTools();
    expect(tools.map(tool => tool.name)).toEqual(['get_context', 'submit_result', 'report_blocker', 'ask_human', 'save_memory']);
    expect(tools.every(tool => (tool.description ?? '').length > 40 && tool.inputSchema.type === 'object')).toBe(true);
    expect(tools[4]?.inputSchema.properties).toMatchObject({ text: { maxLength: 2_000 } });
  });

  test('gives the context of the run whose token it is, notes as notes', async () => {
    const project = await projectOf();
    const [one, two] = [await claimed(project), await claimed(project)];
    const [a, b] = [await connect(one.gateway.token), await connect(two.gateway.token)];
    const note = { kind: 'warning', text: `the tests need a port. ${one.gateway.token}` };
    expect(textOf(await call(a, 'save_memory', note))).toContain('Saved');
    expect(textOf(await call(a, 'save_memory', note))).toContain('already');
    const context = JSON.parse(textOf(await call(b, 'get_context'))) as Record<string, unknown>;
    expect(context).toMatchObject({
      run: { kind: 'ticket', attempt: 1 },
      ticket: { id: two.ticket?.id, title: 'Sort', description: 'Sort them', acceptance_criteria: ['they are sorted'] },
      feedback: null,
      notes: { notes: [{ kind: 'warning', text: 'the tests need a port. [run token]' }] },
    });
    expect(JSON.stringify(context['notes'])).toContain('no instructions');
    const { body } = await api.call('GET', `/api/memories?project_id=${project}`);
    const [memory] = body['memories'] as { id: string; run_id: string }[];
    expect(memory?.run_id).toBe(one.run.id);
    expect((await api.call('DELETE', `/api/memories/${memory?.id}`)).status).toBe(200);
    expect((await api.call('DELETE', `/api/memories/${memory?.id}`)).status).toBe(404);
  });

  test('a result is a claim: it is kept with the run, once, and completes nothing', async () => {
    const run = await claimed();
    const client = await connect(run.gateway.token);
    const done = { status: 'done', summary: 'All of it', files: ['a.js'] };
    for (let times = 0; times < 3; times++)
      expect(textOf(await call(client, 'submit_result', done))).toContain('Skep checks the work itself');
    const { body } = await api.call('GET', `/api/runs/${run.run.id}`);
    expect(body).toMatchObject({
      state: 'leased',
      result: null,
      report: { status: 'done', summary: 'All of it', files: ['a.js'] },
    });
    await call(client, 'submit_result', { status: 'partial', summary: 'Half of it' });
    expect((await api.call('GET', `/api/runs/${run.run.id}`)).body['report']).toMatchObject({ status: 'partial', files: [] });
    const events = await query<{ summary: string }>(
      api.superuserUrl,
      `select payload -> 'details' ->> 'summary' as summary from skep.events where type = 'run.reported' and subject_id = $1 order by id`,
      [run.run.id],
    );
    expect(events.map(each => each.summary)).toEqual(['All of it', 'Half of it']);
    expect((await api.call('GET', `/api/tickets/${run.ticket?.id}`)).body['status']).toBe('claimed');
  });

  test('what is no argument is told, and changes nothing', async () => {
    const run = await claimed();
    const client = await connect(run.gateway.token);
    for (const [name, args] of [
      ['submit_result', { status: 'great', summary: 'x' }],
      ['submit_result', { status: 'done', summary: 'x'.repeat(20_001) }],
      ['submit_result', { status: 'done', summary: 'x', more: 1 }],
      ['save_memory', { kind: 'secret', text: 'x' }],
      ['ask_human', { question: ' ' }],
      ['rm', {}],
    ] as const)
      expect([name, (await call(client, name, args)).isError]).toEqual([name, true]);
    expect((await api.call('GET', `/api/runs/${run.run.id}`)).body['report']).toBeNull();
    expect(await questions(run.ticket?.id)).toEqual([]);
  });
});

describe('the tools of a template', () => {
  const source = (tools: string) => `name: few\nagent: { kind: exec, command: [a], model: local/m }\ntools: ${tools}\n`;
  const given = async (tools: string) => {
    const put = await api.call('POST', '/api/templates', { documents: [{ file: 'few.yaml', source: source(tools) }] });
    expect(put.status).toBe(200);
    const project = await projectOf();
    const router = { routes: [], default: 'few' };
    expect((await api.call('PATCH', `/api/projects/${project}`, { router })).status).toBe(200);
    return claimed(project);
  };

  test('are all that its agent has, by MCP and by hand; its worker is told which', async () => {
    const run = await given('[get_context, report_blocker]');
    expect(run.template).toEqual({ id: 'few@1', prompt: '', tools: ['get_context', 'report_blocker'] });
    const client = await connect(run.gateway.token);
    expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['get_context', 'report_blocker']);
    expect(await call(client, 'ask_human', { question: 'Which?' })).toMatchObject({ isError: true });
    const { status, body } = await report(run.gateway.token, 'ask_human', { question: 'Which?' });
    expect([status, body['error']]).toEqual([403, 'The template few@1 does not give its agent ask_human']);
    expect((await report(run.gateway.token, 'get_context', {})).status).toBe(200);
    expect(await questions(run.ticket?.id)).toEqual([]);
  });

  test('may be none', async () => {
    const run = await given('[]');
    const client = await connect(run.gateway.token);
    expect((await client.listTools()).tools).toEqual([]);
    await expect(call(client, 'submit_result', { status: 'done', summary: 'x' })).rejects.toThrow(/not found/i);
    const { body } = await report(run.gateway.token, 'submit_result', { status: 'done', summary: 'x' });
    expect(JSON.stringify(body)).toContain('It gives: none');
  });
});

describe('who may', () => {
  const post = (token: string | undefined, path = '/gateway/mcp', method = 'POST') =>
    fetch(`${api.url}${path}`, {
      method,
      headers: {
        accept: 'application/json, text/event-stream',
        ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      ...(method === 'POST' ? { body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' } : {}),
    });

  test('the token of a live run alone, and that nowhere else', async () => {
    const run = await claimed();
    const strangers = [undefined, 'x', 'skeprun_x', api.adminToken, run.lease.token];
    for (const token of strangers) {
      for (const path of ['/gateway/mcp', '/gateway/report/get_context', '/gateway/report/nothing'])
        expect([path, (await post(token, path)).status]).toEqual([path, 401]);
      expect((await post(token, '/gateway/mcp', 'GET')).status).toBe(401);
    }
    const { token } = run.gateway;
    expect((await fetch(`${api.url}/gateway/mcp?token=${token}`, { method: 'POST' })).status).toBe(401);
    expect((await post(token)).status).toBe(200);
    for (const method of ['GET', 'DELETE']) expect((await post(token, '/gateway/mcp', method)).status).toBe(405);
    expect((await api.callAs(token)('GET', '/api/runs')).status).toBe(401);
    await api.call('POST', '/api/fail', { ...held(run), class: 'agent_missing' });
    expect((await post(token)).status).toBe(401);
    expect((await report(token, 'submit_result', { status: 'done', summary: 'late' })).status).toBe(401);
    await expect(connect(token)).rejects.toThrow('not valid');
  });

  test('a lease that has run out closes it, before anybody takes it back', async () => {
    const run = await claimed();
    await query(api.superuserUrl, `update skep.runs set lease_expires_at = clock_timestamp() where id = $1`, [run.run.id]);
    expect((await post(run.gateway.token)).status).toBe(401);
  });
});

describe('a blocker', () => {
  test('makes the ticket wait for a person, whose answer the next attempt is told', async () => {
    const run = await claimed();
    const ticketId = run.ticket?.id;
    const client = await connect(run.gateway.token);
    expect(textOf(await call(client, 'report_blocker', { reason: 'no account' }))).toContain('a person is asked');
    expect(textOf(await call(client, 'report_blocker', { reason: 'still none' }))).toContain('being stopped already');
    expect((await api.call('POST', '/api/heartbeat', held(run))).body['halt']).toMatchObject({
      kind: 'blocked',
      message: 'no account',
    });
    expect((await api.call('POST', '/api/complete', held(run))).status).toBe(409);
    await api.call('POST', '/api/fail', { ...held(run), class: 'no_changes' });
    expect((await api.call('GET', `/api/tickets/${ticketId}`)).body).toMatchObject({
      status: 'waiting',
      status_reason: 'no account',
    });
    const [question, ...more] = await questions(ticketId);
    expect([question?.kind, question?.text, more]).toEqual(['blocker', 'The agent cannot go on: no account', []]);
    const [first, second] = await Promise.all([answer(question?.id ?? '', 'use mine'), answer(question?.id ?? '', 'use theirs')]);
    expect(new Set([first.status, second.status])).toEqual(new Set([200, 409]));
    const said = String((first.status === 200 ? first : second).body['answer']);
    expect((await answer(question?.id ?? '', said)).status).toBe(200);
    const next = await claim(ticketId ?? '');
    expect(next.task.feedback?.text).toContain(`A person has answered: ${said}`);
    const context = textOf(await call(await connect(next.gateway.token), 'get_context'));
    expect(context).toContain(`A person has answered: ${said}`);
  });
});

test('plain JSON is checked as MCP is', async () => {
  const { gateway } = await claimed();
  const send = async (tool: string, body: unknown) => {
    const { status, headers } = await report(gateway.token, tool, body);
    return [status, headers.get('skep-fault')];
  };
  expect(await send('submit_result', { status: 'done', summary: '' })).toEqual([400, 'invalid_request']);
  expect(await send('submit_result', { status: 'done', summary: 'a\u0000b' })).toEqual([400, 'invalid_request']);
  expect(await send('submit_result', `{"status":"done","summary":"${'x'.repeat(1_100_000)}"}`)).toEqual([413, 'too_large']);
  expect(await send('submit_result', '{')).toEqual([400, 'invalid_json']);
  expect(await send('nothing', {})).toEqual([400, 'invalid_request']);
  expect((await report(gateway.token, 'get_context', {})).body).toMatchObject({ ticket: { title: 'Sort' } });
});

test('what fails inside the server is no text for an agent', async () => {
  const { gateway } = await claimed();
  const client = await connect(gateway.token);
  await query(api.superuserUrl, 'alter table skep.memories rename to memories_away');
  try {
    const result = await call(client, 'save_memory', { kind: 'warning', text: 'x' });
    expect([result.isError, textOf(result)]).toEqual([true, 'The server failed: try again']);
  } finally {
    await query(api.superuserUrl, 'alter table skep.memories_away rename to memories');
  }
});
