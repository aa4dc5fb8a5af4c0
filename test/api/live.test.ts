import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { WireEvent } from '../../contract/events.ts';
import { followEvents, type LiveOptions, type LiveState } from '../../dashboard/live.ts';
import { createToken, type Role } from '../../src/support/access/index.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { query } from '../harness/database.ts';
import { until } from '../harness/process.ts';
import { holdsFrom } from '../harness/raw.ts';
import { type TestApi, testApi } from '../harness/server.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
afterAll(() => api.stop());

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A browser's tail, and what it was told. */
function tail(options: Partial<LiveOptions> = {}) {
  const events: WireEvent[] = [];
  const states: LiveState[] = [];
  const readies: string[] = [];
  const stop = followEvents({
    url: api.url,
    token: api.adminToken,
    onEvent: event => events.push(event),
    onState: state => states.push(state),
    onReady: cursor => readies.push(cursor),
    WebSocket,
    ...options,
  });
  stops.push(stop);
  return { events, states, readies, stop, live: () => until('the tail is live', () => states.includes('live') || undefined) };
}

/** A socket as nothing but ws makes it. */
function open(path: string, { token, ...options }: { token?: string; origin?: string; headers?: Record<string, string> } = {}) {
  const protocols = token === undefined ? [] : [`bearer.${token}`];
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/api/live${path}`, protocols, options);
  stops.push(() => socket.terminate());
  const frames: Record<string, unknown>[] = [];
  socket.on('message', data => frames.push(JSON.parse((data as Buffer).toString()) as Record<string, unknown>));
  socket.on('error', () => {});
  const closed = new Promise<{ code: number; reason: string }>(resolve =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  );
  const port = new Promise<number>(resolve => socket.once('upgrade', answer => resolve(answer.socket.localPort ?? 0)));
  /** 101 when it was opened. */
  const status = new Promise<number>(resolve => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
  });
  return { socket, frames, port, closed, status };
}

/** Events straight into the log, as many as wanted, each with `bytes` of ballast. */
async function tell(count: number, bytes = 0, tenant?: string): Promise<void> {
  await query(
    api.superuserUrl,
    `insert into skep.events (tenant_id, type, subject_type, subject_id, actor, payload)
     select coalesce($3, (select id from skep.tenants where name = 'default')), 'project.changed', 'project', 'p' || n, 'test',
            jsonb_build_object('n', n, 'ballast', repeat('x', $2)) from generate_series(1, $1::int) as n`,
    [count, bytes, tenant ?? null],
  );
}

/** The log as the other reader gives it, once every event has its position. */
async function log(after?: string): Promise<WireEvent[]> {
  await until('every event has its position', async () => {
    const [row] = await query<{ count: string }>(api.superuserUrl, 'select count(*) from skep.events where position is null');
    return row?.count === '0' || undefined;
  });
  const events: WireEvent[] = [];
  for (let from = after; ; ) {
    const { body } = await api.call('GET', `/api/events?limit=500${from === undefined ? '' : `&after=${from}`}`);
    const page = body['events'] as WireEvent[];
    if (page.length === 0) return events;
    events.push(...page);
    from = String(body['next']);
  }
}

async function end(): Promise<string> {
  await log();
  const { body } = await api.call('GET', '/api/events?limit=500');
  let next = String(body['next']);
  for (let more = body; (more['events'] as unknown[]).length > 0; next = String(more['next']))
    more = (await api.call('GET', `/api/events?limit=500&after=${next}`)).body;
  return next;
}

async function tokenOf(role: Role): Promise<{ id: string; secret: string }> {
  const { body } = await api.call('POST', '/api/tokens', { name: role, role });
  return { id: (body['token'] as { id: string }).id, secret: String(body['secret']) };
}

function count(events: readonly unknown[], wanted: number): Promise<unknown> {
  return until(`${wanted} events`, () => events.length >= wanted || undefined);
}

describe('what a tail shows', () => {
  test('from the beginning: the whole log, as GET /api/events gives it, and then what happens', async () => {
    await tell(450);
    const stored = await log();
    const { events, states, readies, live } = tail();
    await live();
    expect(events).toEqual(stored);
    expect(readies).toEqual([stored.at(-1)?.cursor]);
    await api.call('POST', '/api/projects', { name: 'seen live' });
    await count(events, stored.length + 1);
    expect(events.at(-1)).toMatchObject({ type: 'project.created', name: 'projectUpdate' });
    expect(states).toEqual(['connecting', 'replaying', 'live']);
  });

  test('from a cursor: what is later, and nothing else', async () => {
    const stored = await log();
    const after = stored[10]?.cursor ?? '';
    const { events, live } = tail({ after });
    await live();
    expect(events).toEqual(stored.slice(11));
  });

  test('from now: nothing that was, everything that comes', async () => {
    await log();
    const { events, live } = tail({ after: 'now' });
    await live();
    expect(events).toEqual([]);
    await tell(3);
    await count(events, 3);
    expect(events.map(({ payload }) => payload['n'])).toEqual([1, 2, 3]);
  });

  test('another tenant sees its own events and none of these', async () => {
    const theirs = await api.makeTenant('others');
    const made = await api.database.request({ tenantId: theirs, actor: 'test' }, tx =>
      createToken(tx, { name: 'x', role: 'admin' }),
    );
    const here = tail({ after: 'now' });
    await here.live();
    const there = tail({ token: made.secret });
    await there.live();
    await tell(5);
    await tell(2, 0, theirs);
    await count(there.events, 3);
    await count(here.events, 5);
    await log();
    expect(there.events.map(({ type }) => type)).toEqual(['token.created', 'project.changed', 'project.changed']);
    expect(here.events).toHaveLength(5);
  });

  test('fifty at once all get all', async () => {
    const from = await end();
    const tails = Array.from({ length: 50 }, () => tail({ after: from }));
    await Promise.all(tails.map(one => one.live()));
    await tell(100);
    await Promise.all(tails.map(({ events }) => count(events, 100)));
    const wanted = (await log(from)).map(({ cursor }) => cursor);
    for (const { events } of tails) expect(events.map(({ cursor }) => cursor)).toEqual(wanted);
  });
});

describe('a lost connection', () => {
  /** Breaks its first connection behind the frame of that index, -1: as soon as it is open. */
  function brokenAt(index: number): LiveOptions['WebSocket'] {
    let connections = 0;
    return class extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols);
        let frames = 0;
        const isFirst = ++connections === 1;
        if (isFirst && index < 0) this.on('open', () => this.terminate());
        this.on('message', () => {
          if (isFirst && frames++ === index) this.terminate();
        });
      }
    };
  }

  test('at every one of 30 events: each comes once and in order', async () => {
    const from = await end();
    await tell(30);
    const wanted = (await log(from)).map(({ cursor }) => cursor);
    const tails = Array.from({ length: 32 }, (_, index) => tail({ after: from, WebSocket: brokenAt(index - 1) }));
    await Promise.all(
      tails.map(({ states }) =>
        until('it came back', () => states.filter(state => state === 'connecting').length === 2 || undefined),
      ),
    );
    await Promise.all(tails.map(({ events }) => count(events, 30)));
    await tell(1);
    await Promise.all(tails.map(({ events }) => count(events, 31)));
    for (const { events } of tails) {
      expect(events.map(({ cursor }) => cursor).slice(0, 30)).toEqual(wanted);
      expect(events).toHaveLength(31);
    }
  });

  test('a server that was restarted in between: the tail comes back by itself', async () => {
    const from = await end();
    const { events, states, live } = tail({ after: from });
    await live();
    await tell(3);
    await count(events, 3);
    const restarted = api.restart();
    await until('it waits', () => states.includes('waiting') || undefined);
    await tell(4);
    await restarted;
    await count(events, 7);
    await tell(1);
    await count(events, 8);
    expect(events).toEqual(await log(from));
    expect(states.at(-1)).toBe('live');
  });

  test('a tail that was ended is told nothing more, and does not come back', async () => {
    const { events, states, stop, live } = tail({ after: 'now' });
    await live();
    stop();
    const before = states.length;
    const other = tail({ after: 'now' });
    await other.live();
    await tell(2);
    await count(other.events, 2);
    expect([events.length, states.length]).toEqual([0, before]);
  });
});

describe('who may', () => {
  test('only our own pages, or programs, and only with a token that may read', async () => {
    const { host, port } = new URL(api.url);
    const viewer = (await tokenOf('viewer')).secret;
    const worker = (await tokenOf('worker')).secret;
    const attempts: [string, Parameters<typeof open>[1], number][] = [
      ['no origin', { token: viewer }, 101],
      ['our origin', { token: viewer, origin: `http://${host}` }, 101],
      ['the token in the header', { headers: { authorization: `Bearer ${viewer}` } }, 101],
      ['a worker', { token: worker }, 403],
      ['no token', {}, 401],
      ['no token, our origin', { origin: `http://${host}` }, 401],
      ['an unknown token', { token: 'skep_unknown' }, 401],
      ['a cookie', { headers: { cookie: `token=${viewer}` } }, 401],
      ...[
        'null',
        'http://evil.test',
        `http://${host}.evil.test`,
        `http://localhost.evil.test:${port}`,
        'http://127.0.0.1:1',
        'x',
      ].map((origin): [string, Parameters<typeof open>[1], number] => [origin, { token: viewer, origin }, 403]),
    ];
    for (const [name, options, wanted] of attempts) expect([name, await open('', options).status]).toEqual([name, wanted]);
    expect(await open(`?token=${viewer}`).status).toBe(401);
    expect(await open(`?access_token=${viewer}`).status).toBe(401);
  });

  test('who was refused keeps no connection', async () => {
    for (const headers of [{}, { authorization: 'Bearer skep_unknown' }, { authorization: `Bearer ${api.adminToken}` }]) {
      const { port, hostname } = new URL(api.url);
      const path = 'authorization' in headers && headers.authorization.endsWith(api.adminToken) ? '/api/nowhere' : '/api/live';
      const socket = connect({ port: Number(port), host: hostname });
      stops.push(() => socket.destroy());
      const upgrade = { ...headers, host: 'x', connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
      const lines = Object.entries({ ...upgrade, 'sec-websocket-key': 'MTIzNDU2Nzg5MDEyMzQ1Ng==' }).map(pair => pair.join(': '));
      socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      let answer = '';
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      await new Promise(resolve => socket.once('close', resolve));
      expect(answer).toMatch(/^HTTP\/1.1 40[14] /);
    }
  });

  test('the token is not said back to a client that offers another protocol beside it', async () => {
    for (const [protocols, wanted] of [
      [['skep', `bearer.${api.adminToken}`], 'skep'],
      [[`bearer.${api.adminToken}`, 'skep'], 'skep'],
      // Without an answer a browser would give up.
      [[`bearer.${api.adminToken}`], `bearer.${api.adminToken}`],
    ] as const) {
      const socket = new WebSocket(`${api.url.replace('http', 'ws')}/api/live?after=now`, [...protocols]);
      stops.push(() => socket.terminate());
      await new Promise(resolve => socket.once('open', resolve));
      expect(socket.protocol).toBe(wanted);
    }
  });

  test('over plain HTTP it says what it is', async () => {
    expect(await api.call('GET', '/api/live')).toMatchObject({ status: 400, body: { error: 'This is a WebSocket' } });
  });

  test('a bad cursor is refused with 4400, and the tail does not try again', async () => {
    for (const after of ['nonsense', 'WyJ0aWNrZXQiLDFd', 'WyJldmVudCIsLTFd', 'WyJldmVudCIsMS41XQ', 'x'.repeat(101)]) {
      const { closed } = open(`?after=${after}`, { token: api.adminToken });
      expect([after, await closed]).toEqual([after, { code: 4400, reason: 'The cursor is not one that this server gave out' }]);
    }
    const { states } = tail({ after: 'nonsense' });
    await until('it is refused', () => states.includes('refused') || undefined);
    expect(states).toEqual(['connecting', 'replaying', 'refused']);
  });

  test('a token that is revoked closes its sockets within 2 s, and no others', async () => {
    const { id, secret } = await tokenOf('viewer');
    const bystander = tail({ after: 'now' });
    await bystander.live();
    const { states, live } = tail({ token: secret, after: 'now' });
    const { closed, status } = open('', { token: secret });
    await Promise.all([live(), status]);
    const begun = systemClock.mono();
    await api.call('DELETE', `/api/tokens/${id}`);
    expect((await closed).code).toBe(4401);
    await until('the tail is refused', () => states.includes('refused') || undefined);
    expect(systemClock.mono() - begun).toBeLessThan(2_000);
    expect(bystander.states.at(-1)).toBe('live');
    expect(await open('', { token: secret }).status).toBe(401);
  });

  test('a token that ends while its socket is open gets nothing that happens later', async () => {
    const { id, secret } = await tokenOf('viewer');
    await query(api.superuserUrl, `update skep.tokens set expires_at = now() + interval '1 s' where id = $1`, [id]);
    const { closed, frames } = open('?after=now', { token: secret });
    await until('it is live', () => frames.length > 0 || undefined);
    await until('the token has ended', async () => (await open('', { token: secret }).status) === 401 || undefined);
    await tell(1);
    expect((await closed).code).toBe(4401);
    expect(JSON.stringify(frames)).not.toContain('project.changed');
  });
});

describe('clients that misbehave', () => {
  test('one that sends a large frame is cut; many small ones harm nobody', async () => {
    const large = open('?after=now', { token: api.adminToken });
    await large.status;
    large.socket.send(Buffer.alloc(1_048_576));
    expect((await large.closed).code).toBe(1009);
    const chatty = open('?after=now', { token: api.adminToken });
    await chatty.status;
    for (let i = 0; i < 10_000; i++) chatty.socket.send('{"kind":"event"}');
    const { events, live } = tail({ after: 'now' });
    await live();
    await tell(1);
    await count(events, 1);
  });

  test('one that reads slowly gets everything', async () => {
    const from = await end();
    await tell(200, 100_000);
    await log(from);
    const { socket, frames } = open(`?after=${from}`, { token: api.adminToken });
    let count = 0;
    socket.on('message', () => {
      if (++count % 10 !== 0) return;
      socket.pause();
      void systemClock.sleep(50).then(() => socket.resume());
    });
    await until('all has come', () => frames.length > 200 || (socket.readyState !== WebSocket.OPEN && count > 0) || undefined);
    expect(frames).toHaveLength(201);
  });

  test('ten that never read are cut, and hold little memory', async () => {
    const from = await end();
    const mute = Array.from({ length: 10 }, () => open(`?after=${from}`, { token: api.adminToken }));
    await Promise.all(mute.map(({ status }) => status));
    for (const { socket } of mute) socket.pause();
    const before = process.memoryUsage().rss;
    let most = before;
    await tell(600, 100_000);
    const ports = await Promise.all(mute.map(({ port }) => port));
    await until(
      'the server has let go of them',
      () => {
        most = Math.max(most, process.memoryUsage().rss);
        return ports.every(port => !holdsFrom(port)) || undefined;
      },
      45_000,
    );
    // 600 MB would have waited for the ten.
    expect((most - before) / 1_048_576).toBeLessThan(250);
    for (const { socket } of mute) socket.resume();
    for (const { closed, frames } of mute) {
      expect([1006, 4408]).toContain((await closed).code);
      expect(frames.length).toBeLessThan(600);
    }
    const { events } = tail({ after: from });
    await count(events, 600);
  });
});
