import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { logChunkBytesMax, type Claimed } from '../../../../contract/runs.ts';
import {
  transcriptBytesMax,
  type TranscriptEvent,
  transcriptEventsMax,
  transcriptTextCharactersMax,
} from '../../../../contract/talk/transcript.ts';
import { query } from '../../../../test/harness/database.ts';
import { ask } from '../../../../test/harness/raw.ts';
import { type TestApi, testApi } from '../../../../test/harness/server.ts';

const nobody = '6f4b5f0e-1111-4222-8333-444455556666';
const at = '2026-01-02T03:04:05.678Z';

let api: TestApi;
let project: string;
const tokens: Record<string, string> = {};
let claimed: Claimed;
beforeAll(async () => {
  api = await testApi({ SKEP_LEASE_MS: '600000' });
  const agent = { kind: 'exec', command: ['true'] };
  project = String((await api.call('POST', '/api/projects', { name: 'p', checks: [], agent })).body['id']);
  for (const role of ['worker', 'viewer'])
    tokens[role] = String((await api.call('POST', '/api/tokens', { name: role, role })).body['secret']);
});
afterAll(() => api.stop());

beforeEach(async () => {
  const ticketId = String((await api.call('POST', '/api/tickets', { project_id: project, title: 't' })).body['id']);
  const wish = { worker: 'w', ticket_id: ticketId, wait_ms: 20_000, capabilities: ['agent:exec', 'isolation:namespaces'] };
  claimed = (await api.call('POST', '/api/claim', wish)).body as unknown as Claimed;
});

const says = (text: string): TranscriptEvent => ({ type: 'message', at, text });
const called = (title: string, input = ''): TranscriptEvent => ({
  ...{ type: 'tool_call', at, call: 'c' },
  kind: 'execute',
  title,
  input,
});
const resulted = (output: string): TranscriptEvent => ({ type: 'tool_result', at, call: 'c', status: 'completed', output });
const changed = (path: string): TranscriptEvent => ({ type: 'file_change', at, path, change: 'added', call: null });
const used: TranscriptEvent = { type: 'usage', at, input_tokens: 400, output_tokens: 40 };
const lines = (...events: readonly unknown[]): string => events.map(event => `${JSON.stringify(event)}\n`).join('');

interface Sent {
  readonly offset?: number | string;
  readonly id?: string;
  readonly lease?: string;
  readonly role?: string;
  readonly type?: string;
}

async function post(body: string | Buffer, sent: Sent = {}): Promise<{ status: number; body: Record<string, unknown> }> {
  const { id = claimed.run.id, lease = claimed.lease.token, role = 'worker', type = 'application/x-ndjson', offset = 0 } = sent;
  const headers = { authorization: `Bearer ${tokens[role]}`, 'skep-lease': lease, 'content-type': type };
  const answer = await ask(api.url, { method: 'POST', path: `/api/runs/${id}/transcript?offset=${offset}`, headers, body });
  return { status: answer.status, body: JSON.parse(answer.text) as Record<string, unknown> };
}

const get = (asked = '', id = claimed.run.id, role = 'viewer') =>
  api.callAs(tokens[role] ?? '')('GET', `/api/runs/${id}/transcript${asked}`);

interface Page {
  readonly events: readonly (TranscriptEvent & { seq: number })[];
  readonly next: string;
  readonly more: boolean;
}
const page = async (asked = '') => {
  const { status, body } = await get(asked);
  expect([status, body['error']]).toEqual([200, undefined]);
  return body as unknown as Page;
};
const seqs = async (asked = '') => (await page(asked)).events.map(({ seq }) => seq);

describe('what an agent did', () => {
  test('comes back as it was sent, in its order, page by page, until the run is over', async () => {
    const sent = [
      says('Héllo\u001b[2J'),
      called('npm test', '{"command":"npm test"}'),
      resulted('ok'),
      changed('src/a.js'),
      used,
    ];
    const [first, second] = [lines(...sent.slice(0, 2)), lines(...sent.slice(2))];
    expect((await post(first)).body).toEqual({ size: Buffer.byteLength(first) });
    expect((await post(second, { offset: Buffer.byteLength(first) })).status).toBe(200);
    const all = await page();
    expect(all.events).toEqual(sent.map((event, index) => ({ seq: index + 1, ...event })));
    expect(all.more).toBe(true);
    expect(await seqs(`?after=${all.next}`)).toEqual([]);

    const [one, two] = [await page('?limit=2'), await page(`?limit=2&after=${(await page('?limit=2')).next}`)];
    expect([one.events.map(({ seq }) => seq), two.events.map(({ seq }) => seq)]).toEqual([
      [1, 2],
      [3, 4],
    ]);
    await api.call('POST', '/api/complete', { run_id: claimed.run.id, token: claimed.lease.token, result: {} });
    expect([(await page('?limit=2')).more, (await page(`?limit=2&after=${two.next}`)).more]).toEqual([true, false]);
    expect(await page('?limit=5')).toMatchObject({ more: false });
    expect((await get('', claimed.run.id, 'viewer')).status).toBe(200);
    expect((await api.call('GET', `/api/runs/${claimed.run.id}`)).body['transcript_events']).toBe(5);
  });

  test('is found by type and by plain text, in whatever capitals; the place to go on at is behind all that was looked at', async () => {
    const sent = [says('100% done'), says('100 done'), called('cat a_b', 'A_B'), resulted('axb'), changed('src/Über.js'), used];
    await post(lines(...sent));
    expect(await seqs('?type=message,usage')).toEqual([1, 2, 6]);
    expect(await seqs('?q=100%25')).toEqual([1]);
    expect(await seqs('?q=a_b')).toEqual([3]);
    expect(await seqs('?q=DONE')).toEqual([1, 2]);
    expect(await seqs('?q=.js')).toEqual([5]);
    expect(await seqs('?q=done&type=tool_call')).toEqual([]);
    // Names of fields, and what is no text, are not searched.
    expect(await seqs('?q=input_tokens')).toEqual([]);
    expect(await seqs("?q='%20or%20true%20--")).toEqual([]);
    const size = Buffer.byteLength(lines(...sent));
    const quoted = called('node -e', JSON.stringify({ command: 'console.log("hi")\n\tC:\\x' }));
    await post(lines(quoted), { offset: size });
    for (const words of ['LOG("hi")', 'C:\\x', '\n\tC']) expect(await seqs(`?q=${encodeURIComponent(words)}`)).toEqual([7]);
    const { next } = await page('?q=nothing');
    await post(lines(says('nothing')), { offset: size + Buffer.byteLength(lines(quoted)) });
    expect(await seqs(`?q=nothing&after=${next}`)).toEqual([8]);
    expect((await page('?limit=1&q=done')).next).not.toBe(next);
  });

  test('is nothing of a run without any, and 404 of no run', async () => {
    expect(await page()).toMatchObject({ events: [], more: true });
    expect((await api.call('GET', `/api/runs/${claimed.run.id}`)).body['transcript_events']).toBe(0);
    expect((await get('', nobody)).status).toBe(404);
    expect((await post(lines(says('x')), { id: nobody })).status).toBe(404);
    expect((await get('', claimed.run.id, 'worker')).status).toBe(403);
    expect((await post(lines(says('x')), { role: 'viewer' })).status).toBe(403);
  });

  test.each([
    '?type=messages',
    '?type=',
    '?type=message,',
    '?q=',
    `?q=${'x'.repeat(201)}`,
    '?limit=0',
    '?limit=501',
    '?after=x',
    '?q=%00',
  ])('asked for with %s is refused with the reason', async asked => {
    const { status, body } = await get(asked);
    expect([status, typeof body['error']]).toEqual([400, 'string']);
  });
});

describe('a batch', () => {
  const batch = lines(says('one'), says('two'));
  const size = batch.length;

  test('that is sent again is kept once: whole, in part, and ten times at once', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => post(batch)));
    expect(answers.map(({ body }) => body)).toEqual(Array.from({ length: 10 }, () => ({ size })));
    expect((await post(lines(says('one')))).body).toEqual({ size });
    expect((await post('', { offset: size })).body).toEqual({ size });
    expect(await seqs()).toEqual([1, 2]);
  });

  test('with a gap before it, or over what is there and beyond it, is refused with the size', async () => {
    await post(batch);
    for (const offset of [size + 1, size - 1, 0]) {
      const { status, body } = await post(lines(says('one'), says('two'), says('three')), { offset });
      expect([offset, status, body['size']]).toEqual([offset, 409, size]);
    }
    expect(await seqs()).toEqual([1, 2]);
  });

  test('of who does not hold the run any more is refused, and nothing of it is kept', async () => {
    await post(batch);
    expect((await post(lines(says('x')), { offset: size, lease: 'of another' })).status).toBe(409);
    await query(api.superuserUrl, 'update skep.runs set lease_expires_at = clock_timestamp() where id = $1', [claimed.run.id]);
    for (const offset of [0, size]) expect((await post(batch, { offset })).status).toBe(409);
    expect(await seqs()).toEqual([1, 2]);
  });

  const badBodies: readonly [string, string | Buffer, string][] = [
    ['is not JSON', `${lines(says('x'))}{"type"\n`, 'line 2, column'],
    ['has an empty line', `\n${lines(says('x'))}`, 'line 1'],
    ['has no end', lines(says('x')).trimEnd(), 'The last line has no end'],
    ['is not UTF-8', Buffer.concat([Buffer.from('{"type":"message"'), Buffer.from([0xff, 0x0a])]), 'not valid UTF-8: byte 18'],
    ['has another type', lines({ type: 'dance', at }), 'lines[0]'],
    ['has a field too many', lines({ ...says('x'), more: 1 }), 'lines[0]'],
    ['has a field too few', lines({ type: 'message', at }), 'lines[0].text'],
    ['has no time', lines({ ...says('x'), at: 'yesterday' }), 'lines[0].at'],
    ['has a time that no database takes', lines({ ...says('x'), at: '0000-01-01T00:00:00Z' }), 'lines[0].at'],
    ['has a text too long', lines(says('x'.repeat(transcriptTextCharactersMax + 1))), 'lines[0].text'],
    ['has NUL', lines(says('a\0b')), 'U+0000'],
    ['has half a character', '{"type":"message","at":"2026-01-02T03:04:05Z","text":"\\ud800"}\n', 'half of a surrogate pair'],
    ['is no object', '7\n', 'lines[0]'],
    ['reaches into prototypes', '{"__proto__":{"type":"message"}}\n', '__proto__'],
    ['counts what is no number', lines({ ...used, input_tokens: -1 }), 'lines[0].input_tokens'],
  ];
  test.each(badBodies)('that %s is refused, and says so', async (_what, body, words) => {
    const { status, body: answer } = await post(body);
    expect([status, answer['error']]).toEqual([400, expect.stringContaining(words)]);
    expect(await seqs()).toEqual([]);
  });

  test('of another kind, from no number, or larger than a chunk is refused', async () => {
    for (const type of ['text/plain', 'application/json', 'application/octet-stream'])
      expect([type, (await post('{"bytes":0,"lines":[]}', { type })).status]).toEqual([type, 415]);
    for (const offset of ['-1', 'x', '1.5']) expect((await post(batch, { offset })).status).toBe(400);
    expect((await post('x'.repeat(logChunkBytesMax + 1))).status).toBe(413);
    expect((await post('1\n'.repeat(10_001))).status).toBe(413);
    expect(await seqs()).toEqual([]);
  });

  test('is not taken beyond the events and the bytes of a run', async () => {
    const many = lines(...Array.from({ length: transcriptEventsMax }, () => used));
    expect((await post(many)).status).toBe(200);
    const more = await post(lines(used), { offset: many.length });
    expect([more.status, more.body['error']]).toEqual([413, expect.stringContaining(`at most ${transcriptEventsMax} events`)]);
    expect(await seqs('?limit=500')).toHaveLength(500);
    await query(api.superuserUrl, 'delete from skep.transcript_events where run_id = $1 and seq > 1', [claimed.run.id]);
    await query(api.superuserUrl, 'update skep.transcript_events set chunk_end = $2 where run_id = $1', [
      claimed.run.id,
      transcriptBytesMax - 10,
    ]);
    expect((await post(lines(used), { offset: transcriptBytesMax - 10 })).status).toBe(413);
    expect(await seqs()).toEqual([1]);
  });
});

describe('a search over the transcripts of many runs', () => {
  const search = async (query: string) => {
    const { status, body } = await api.call('GET', `/api/transcripts?${query}`);
    return {
      status,
      ...(body as { found: { run_id: string; event: { seq: number } }[]; runs_searched: number; next: string | null }),
    };
  };
  /** One more run, with what its agent did. */
  async function another(...events: readonly TranscriptEvent[]): Promise<string> {
    const ticketId = String((await api.call('POST', '/api/tickets', { project_id: project, title: 't' })).body['id']);
    const wish = { worker: 'w', ticket_id: ticketId, wait_ms: 20_000, capabilities: ['agent:exec', 'isolation:namespaces'] };
    const { run, lease } = (await api.call('POST', '/api/claim', wish)).body as unknown as Claimed;
    expect((await post(lines(...events), { id: run.id, lease: lease.token })).status).toBe(200);
    return run.id;
  }

  test('finds in the newest run first, by ticket, project and type, and pages within a run and over runs', async () => {
    await post(lines(says('a Needle'), called('ls'), says('needle two')));
    const newer = await another(called('find needle'), says('other'));
    const all = await search('q=needle');
    const older = claimed.run.id;
    expect(all.found.map(({ run_id, event }) => [run_id, event.seq])).toEqual([
      [newer, 1],
      [older, 1],
      [older, 3],
    ]);
    expect([all.next, all.runs_searched]).toEqual([null, expect.any(Number)]);
    expect((await search(`q=needle&ticket_id=${claimed.ticket?.id}`)).found).toHaveLength(2);
    expect((await search(`q=needle&type=tool_call&project_id=${project}`)).found).toMatchObject([{ run_id: newer }]);
    expect((await search(`q=needle&project_id=${nobody}`)).found).toEqual([]);
    const paged: unknown[] = [];
    for (let after: string | null = ''; after !== null; ) {
      const page = await search(`q=needle&limit=1${after === '' ? '' : `&after=${after}`}`);
      paged.push(...page.found.map(({ run_id, event }) => [run_id, event.seq]));
      after = page.next;
    }
    expect(paged).toEqual(all.found.map(({ run_id, event }) => [run_id, event.seq]));
  });

  test('looks through so many runs for a page, and goes on after one with nothing', async () => {
    const first = await another(says('haystack'));
    const { run } = claimed;
    await query(
      api.superuserUrl,
      `with made as (
         insert into skep.runs (tenant_id, subject_type, subject_id, attempt, state, ended_at)
         select tenant_id, 'diagnosis', 'many' || i, 1, 'lost', now() from skep.runs, generate_series(1, 45) as i where id = $1
         returning tenant_id, id)
       insert into skep.transcript_events (tenant_id, run_id, chunk_end, seq, type, at, body)
       select tenant_id, id, 1, 1, 'message', now(), '{"text": "x"}' from made`,
      [run.id],
    );
    const pages = [await search('q=haystack')];
    for (let { next } = pages[0] ?? { next: null }; next !== null; next = pages.at(-1)?.next ?? null)
      pages.push(await search(`q=haystack&after=${next}`));
    expect(pages.length).toBeGreaterThan(2);
    expect(pages[0]).toMatchObject({ found: [], runs_searched: 20 });
    expect(pages.flatMap(({ found }) => found.map(({ run_id }) => run_id))).toEqual([first]);
    expect(Math.max(...pages.map(({ runs_searched }) => runs_searched))).toBeLessThanOrEqual(21);
  });

  test('wants words, and a cursor of its own', async () => {
    expect((await search('limit=1')).status).toBe(400);
    expect((await search('q=x&after=bm9uZQ')).status).toBe(400);
  });
});
