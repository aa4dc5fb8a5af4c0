import { afterAll, beforeAll, expect, test } from 'vitest';
import { query } from '../../../test/harness/database.ts';
import { until } from '../../../test/harness/process.ts';
import { held, reportBack, textOf } from '../../../test/harness/report-back.ts';
import { withClient } from '../../db/server/session.ts';
import { type TestApi, testApi } from '../../../test/harness/server.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi({ SKEP_LEASE_MS: '600000' });
});
afterAll(() => api.stop());

const { claimed, claim, connect, call, report, questions, answer } = reportBack(() => api);

/** The first question about a ticket, once it is there. */
const asked = (ticketId: string | undefined) => until('a question', async () => (await questions(ticketId))[0]);
const stateOf = async (id: string) => (await api.call('GET', `/api/questions/${id}`)).body['state'];
/** What is asked about a ticket, and its attempts, are an hour older. */
async function age(ticketId: string | undefined): Promise<void> {
  for (const table of ['questions', 'runs'])
    await query(api.superuserUrl, `update skep.${table} set created_at = created_at - interval '1 hour' where ticket_id = $1`, [
      ticketId,
    ]);
}
const haltOf = async (runId: string) =>
  (await query<{ id: string }>(api.superuserUrl, `select halt ->> 'questionId' as id from skep.runs where id = $1`, [runId]))[0]
    ?.id;

test('a question is waited for with progress, and answered; asked again it has its answer', async () => {
  const run = await claimed();
  const client = await connect(run.gateway.token);
  const ask = { question: 'Which port?', options: ['80', '8080'], default: '80' };
  let told: (message: string) => void = () => {};
  const progress = new Promise<string>(resolve => (told = resolve));
  const answered = client.callTool({ name: 'ask_human', arguments: ask }, undefined, {
    onprogress: ({ message }) => told(message ?? ''),
    resetTimeoutOnProgress: true,
  });
  const headers = { authorization: `Bearer ${run.gateway.token}`, 'content-type': 'application/json' };
  // The head of the answer comes while it is still waited for.
  const plain = await fetch(`${api.url}/gateway/report/ask_human`, { method: 'POST', headers, body: JSON.stringify(ask) });
  expect([plain.status, plain.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  expect(await progress).toMatch(/waiting for a person, [56] s so far/);
  const question = await asked(run.ticket?.id);
  expect(question).toMatchObject({
    kind: 'ask',
    text: 'Which port?',
    options: [
      { id: '80', label: '80' },
      { id: '8080', label: '8080' },
    ],
  });
  expect((await answer(question.id, '443')).status).toBe(200);
  expect(textOf(await answered)).toContain('A person has answered: 443');
  const text = await plain.text();
  expect([text[0], JSON.parse(text)]).toMatchObject([' ', { outcome: 'answered', answer: '443' }]);
  expect(textOf(await call(client, 'ask_human', ask))).toContain('A person has answered: 443');
  expect((await questions(run.ticket?.id, 'answered')).length).toBe(1);
});

test('a question that nobody answers in time ends with the default, and says so', async () => {
  const run = await claimed();
  const client = await connect(run.gateway.token);
  const [one, two] = [
    call(client, 'ask_human', { question: 'a?', default: 'b' }),
    report(run.gateway.token, 'ask_human', { question: 'c?' }),
  ];
  await until('two questions', async () => ((await questions(run.ticket?.id)).length === 2 ? true : undefined));
  await query(api.superuserUrl, `update skep.questions set due_at = clock_timestamp() where ticket_id = $1`, [run.ticket?.id]);
  expect(textOf(await one)).toContain('Nobody has answered in time. Your default holds: b');
  expect((await two).body).toMatchObject({ outcome: 'default', answer: null });
  const expired = await questions(run.ticket?.id, 'expired');
  expect(new Set(expired.map(each => each.answer))).toEqual(new Set(['b', null]));
  expect((await answer(expired[0]?.id ?? '', 'late')).status).toBe(409);
});

test('a question is kept where its run dies: the next attempt is told the answer, and has it when it asks the same', async () => {
  const run = await claimed();
  const client = await connect(run.gateway.token);
  const waiting = call(client, 'ask_human', { question: 'a?' });
  const question = await asked(run.ticket?.id);
  await api.call('POST', '/api/fail', { ...held(run), class: 'agent_died' });
  expect(await waiting).toMatchObject({ isError: true });
  expect(textOf(await waiting)).toContain('The run is over');
  expect((await answer(question.id, 'yes')).status).toBe(200);
  const next = await claim(run.ticket?.id ?? '');
  expect(next.run.attempt).toBe(2);
  expect(next.task.answers).toEqual([{ question: 'a?', answer: 'yes', is_default: false }]);
  expect((await report(next.gateway.token, 'ask_human', { question: 'a?' })).body).toMatchObject({ answer: 'yes' });
  expect((await report(next.gateway.token, 'get_context', {})).body['answers']).toEqual(next.task.answers);
});

test('a question is over when its ticket is, and then asked anew', async () => {
  const run = await claimed();
  const client = await connect(run.gateway.token);
  const waiting = call(client, 'ask_human', { question: 'a?', default: 'b' });
  const question = await asked(run.ticket?.id);
  await api.call('POST', '/api/fail', { ...held(run), class: 'agent_missing' });
  expect(await waiting).toMatchObject({ isError: true });
  await until('it to be over', async () => ((await stateOf(question.id)) === 'expired' ? true : undefined));
  expect((await api.call('POST', `/api/tickets/${run.ticket?.id}/retry`)).status).toBe(200);
  const next = await claim(run.ticket?.id ?? '');
  expect(next.task.answers).toEqual([]);
  const again = report(next.gateway.token, 'ask_human', { question: 'a?', default: 'b' });
  const { id } = await asked(run.ticket?.id);
  expect(id).not.toBe(question.id);
  await answer(id, 'c');
  expect((await again).body).toMatchObject({ outcome: 'answered', answer: 'c' });
});

test('a question that is not answered soon ends the turn; its ticket waits for all that was asked, and goes on with the answers', async () => {
  const run = await claimed();
  const ticketId = run.ticket?.id ?? '';
  const { token } = run.gateway;
  const client = await connect(token);
  const waiting = call(client, 'ask_human', { question: 'a?' });
  const first = await asked(ticketId);
  await age(ticketId);
  expect(await waiting).not.toMatchObject({ isError: true });
  expect(textOf(await waiting)).toContain('End your turn now');
  // The run is stopped: what is asked now is kept too, and waits no more.
  const more = { question: 'b?', options: ['x', 'y'], default: 'x' };
  expect((await report(token, 'ask_human', more)).body).toMatchObject({ outcome: 'later' });
  expect((await report(token, 'ask_human', { question: 'a?' })).body).toMatchObject({ outcome: 'later' });
  const { body } = await api.call('POST', '/api/heartbeat', held(run));
  expect(body['halt']).toEqual({ kind: 'question', message: 'The agent asks: a?', question_id: first.id });
  // Whatever its agent says of its end.
  expect((await api.call('POST', '/api/complete', held(run))).status).toBe(409);
  expect((await api.call('POST', '/api/park', held(run))).body).toMatchObject({ run: { state: 'parked' } });
  const waits = { status: 'waiting', status_reason: 'The agent asks: a?' };
  expect((await api.call('GET', `/api/tickets/${ticketId}`)).body).toMatchObject(waits);
  expect((await report(token, 'ask_human', more)).status).toBe(401);

  const both = await questions(ticketId);
  expect(both.map(({ text }) => text)).toEqual(['b?', 'a?']);
  const clicks = await Promise.all([answer(first.id, 'one'), answer(first.id, 'one')]);
  expect(clicks.map(({ status }) => status)).toEqual([200, 200]);
  await until('the run to wait for the other', async () => ((await haltOf(run.run.id)) === both[0]?.id ? true : undefined));
  expect((await api.call('GET', `/api/tickets/${ticketId}`)).body['status']).toBe('waiting');
  await query(api.superuserUrl, `update skep.questions set due_at = clock_timestamp() where id = $1`, [both[0]?.id]);
  const next = await claim(ticketId);
  expect(next.task.answers).toEqual([
    { question: 'a?', answer: 'one', is_default: false },
    { question: 'b?', answer: 'x', is_default: true },
  ]);
  expect(next.task.continues).toMatchObject({ run_id: run.run.id, ended: 'answered' });
  expect(next.task.feedback?.text).toContain('asked a person, and ended its turn');
  expect((await report(next.gateway.token, 'ask_human', more)).body).toMatchObject({ outcome: 'default', answer: 'x' });
});

test('a question that is old already when it is asked again ends the turn at once', async () => {
  const run = await claimed();
  const gone = report(run.gateway.token, 'ask_human', { question: 'a?' }).catch(() => undefined);
  await asked(run.ticket?.id);
  await api.call('POST', '/api/fail', { ...held(run), class: 'agent_died' });
  await gone;
  await age(run.ticket?.id);
  const next = await claim(run.ticket?.id ?? '');
  expect((await report(next.gateway.token, 'ask_human', { question: 'a?' })).body).toMatchObject({ outcome: 'later' });
  // A worker that knows only how to fail.
  const failed = await api.call('POST', '/api/fail', { ...held(next), class: 'no_changes' });
  expect(failed.body).toMatchObject({ run: { state: 'parked' } });
});

test('a question of a run that is being stopped reaches nobody', async () => {
  const run = await claimed();
  const client = await connect(run.gateway.token);
  await call(client, 'report_blocker', { reason: 'no account' });
  expect(textOf(await call(client, 'ask_human', { question: 'a?' }))).toContain('being stopped already');
  expect((await questions(run.ticket?.id)).map(({ kind }) => kind)).toEqual(['blocker']);
});

/** As the gateway does where a budget is spent. */
const stop = `update skep.runs set halt = '{"kind": "budget", "message": "spent"}' where id = $1`;

test('a question whose run is stopped for something else meanwhile is waited for no longer', async () => {
  const run = await claimed();
  const asking = report(run.gateway.token, 'ask_human', { question: 'a?' });
  await asked(run.ticket?.id);
  await query(api.superuserUrl, stop, [run.run.id]);
  expect((await asking).body).toMatchObject({ outcome: 'stopped' });
});

test('a question that comes while its run is being stopped reaches nobody', async () => {
  const run = await claimed();
  const { asking } = await withClient(api.superuserUrl, async client => {
    await client.query('begin');
    await client.query(stop, [run.run.id]);
    const asking = report(run.gateway.token, 'ask_human', { question: 'a?' });
    const looks = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await until('the question to wait', async () => ((await query(api.superuserUrl, looks)).length > 0 ? true : undefined));
    await client.query('commit');
    return { asking };
  });
  expect((await asking).body).toMatchObject({ outcome: 'stopped' });
  expect(await questions(run.ticket?.id)).toEqual([]);
});

test('a question survives the server, and whoever asked asks again', async () => {
  const run = await claimed();
  const gone = report(run.gateway.token, 'ask_human', { question: 'a?' }).catch(() => undefined);
  const { id } = await asked(run.ticket?.id);
  await api.restart();
  await gone;
  const again = report(run.gateway.token, 'ask_human', { question: 'a?' });
  await answer(id, 'yes');
  expect((await again).body).toMatchObject({ outcome: 'answered', answer: 'yes' });
});

test('a question is waited for by so many calls at once', async () => {
  const run = await claimed();
  const gone = new AbortController();
  const headers = { authorization: `Bearer ${run.gateway.token}`, 'content-type': 'application/json' };
  const statuses: (number | string)[] = [];
  const many = Array.from({ length: 25 }, async () => {
    const init = { method: 'POST', headers, body: '{"question":"a?"}', signal: gone.signal };
    const status = await fetch(`${api.url}/gateway/report/ask_human`, init).then(
      answer => answer.status,
      () => 'gone',
    );
    statuses.push(status);
  });
  await until('five to be refused', () => (statuses.length === 5 ? true : undefined));
  gone.abort();
  await Promise.all(many);
  expect(statuses).toEqual([...Array.from({ length: 5 }, () => 409), ...Array.from({ length: 20 }, () => 'gone')]);
  expect((await questions(run.ticket?.id)).length).toBe(1);
});

test('a question comes at most so often', async () => {
  const run = await claimed();
  await query(
    api.superuserUrl,
    `insert into skep.questions (tenant_id, kind, state, subject_type, subject_id, key, text, decided_at)
     select tenant_id, 'ask', 'expired', 'ticket', subject_id, n::text, 'x', now() from skep.runs, generate_series(1, 50) n where id = $1`,
    [run.run.id],
  );
  expect(await report(run.gateway.token, 'ask_human', { question: 'a?' })).toMatchObject({ status: 409 });
});

test('where its ticket is begun anew, a question that was answered is asked again, and as often as before', async () => {
  const run = await claimed();
  const ticketId = run.ticket?.id ?? '';
  const asking = report(run.gateway.token, 'ask_human', { question: 'a?' });
  await answer((await asked(ticketId)).id, 'old');
  expect((await asking).body).toMatchObject({ answer: 'old' });
  await query(
    api.superuserUrl,
    `insert into skep.questions (tenant_id, kind, state, subject_type, subject_id, key, text, decided_at)
     select tenant_id, 'ask', 'expired', 'ticket', subject_id, n::text, 'x', now() from skep.runs, generate_series(1, 50) n where id = $1`,
    [run.run.id],
  );
  await api.call('POST', '/api/fail', { ...held(run), class: 'agent_missing' });
  expect((await api.call('POST', `/api/tickets/${ticketId}/retry`)).status).toBe(200);
  const next = await claim(ticketId);
  expect(next.task.answers).toEqual([]);
  const again = report(next.gateway.token, 'ask_human', { question: 'a?' });
  await answer((await asked(ticketId)).id, 'new');
  expect((await again).body).toMatchObject({ answer: 'new' });
});
