import { execa } from 'execa';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { NetworkRule } from '../../contract/network/rules.ts';
import { besideLoopback, certificateFor, startEgress, startHost } from '../../test/harness/egress.ts';
import { temporaryFolder } from '../../test/harness/worker.ts';
import type { HttpEvent, HttpTurn } from '../worker/host/http-turn.ts';
import { waitMs } from './http/follow.ts';
import { insideFolder } from '../worker/inside.ts';

const task = '{\n  "id": "TKT-001",\n  "title": "Say hello"\n}\n';

interface Wanted {
  readonly folder?: string;
  readonly rules?: (port: number) => readonly NetworkRule[];
  readonly isSecure?: boolean;
  readonly timeoutMs?: number;
  /** So long ago the worker began to wait. */
  readonly lateMs?: number;
  /** Called with each request; what it is given interrupts the program. */
  readonly onHeard?: (line: string, interrupt: () => void) => void;
}

/** The program as a process, before an endpoint behind the proxy of a sandbox. */
async function hand(endpoint: RequestListener, wanted: Wanted = {}) {
  const { folder = temporaryFolder(), rules = allowed, isSecure = false, timeoutMs = 60_000, lateMs = 0, onHeard } = wanted;
  const heard: { readonly headers: Readonly<Record<string, unknown>>; readonly body: string; readonly line: string }[] = [];
  const certificate = isSecure ? certificateFor('x.test', besideLoopback) : undefined;
  const listener: RequestListener = (request, response) => {
    void text(request).then(body => {
      const line = `${request.method} ${request.url}`;
      heard.push({ headers: request.headers, body, line });
      onHeard?.(line, () => void program.kill('SIGINT'));
      endpoint(request, response);
    });
  };
  const host = await startHost(listener, certificate, besideLoopback);
  const egress = await startEgress({ rules: rules(host.port) });
  onTestFinished(() => {
    host.close();
    egress.close();
  });
  const url = `${isSecure ? 'https' : 'http'}://${besideLoopback}:${host.port}/work?a=b`;
  const trusted = join(temporaryFolder(), 'certificate.pem');
  writeFileSync(trusted, certificate?.cert ?? '');
  const turn: HttpTurn = {
    url,
    task,
    headers: { 'skep-run': 'R', 'idempotency-key': 'R' },
    timeoutMs,
    endsAt: Date.now() + timeoutMs - lateMs,
  };
  const program = execa(process.execPath, [join(await insideFolder(), 'http.mjs')], {
    ...{ cwd: folder, extendEnv: false, reject: false, input: JSON.stringify(turn), timeout: 30_000 },
    env: { http_proxy: `http://127.0.0.1:${egress.port}`, NODE_EXTRA_CA_CERTS: trusted },
  });
  const { exitCode, stdout, stderr } = await program;
  expect([exitCode, stderr.includes('Error')]).toEqual([0, false]);
  const event = (stdout === '' ? undefined : JSON.parse(stdout)) as HttpEvent;
  return { event, heard, lines: heard.map(({ line }) => line), stderr, folder, port: host.port };
}

const allowed = (port: number): readonly NetworkRule[] => [{ host: besideLoopback, port, private: true }];
const says =
  (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
const done = (...files: readonly object[]) => says(200, { status: 'done', summary: 'It is done', files });
const read = (folder: string, path: string): string => readFileSync(join(folder, path), 'utf8');

test.each([false, true])('hands in the ticket and keeps what is answered; encrypted: %s', async isSecure => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'old.txt'), 'old');
  const answer = done(
    { path: 'a/b.txt', content: 'Grüße\n' },
    { path: 'c.bin', content_base64: Buffer.from([0, 255]).toString('base64') },
    { path: 'old.txt', content: null },
    { path: 'never.txt', content: null },
  );
  const { event, heard } = await hand(answer, { folder, isSecure });
  expect(event).toEqual({ event: 'done', summary: 'It is done', files: 4 });
  expect(heard).toHaveLength(1);
  expect(heard[0]).toMatchObject({ line: 'POST /work?a=b', body: task });
  expect(heard[0]?.headers).toMatchObject({ 'content-type': 'application/json', 'skep-run': 'R', 'idempotency-key': 'R' });
  expect([read(folder, 'a/b.txt'), [...readFileSync(join(folder, 'c.bin'))]]).toEqual(['Grüße\n', [0, 255]]);
  expect(existsSync(join(folder, 'old.txt'))).toBe(false);
});

test('tries again what may be otherwise soon, and only that', async () => {
  let times = 0;
  const busy: RequestListener = (request, response) => {
    times += 1;
    (times === 1 ? says(503, 'busy') : done())(request, response);
  };
  const { event, heard } = await hand(busy);
  expect([event.event, heard.length]).toEqual(['done', 2]);
  const refused = await hand(says(422, 'no such\nwork'));
  expect(refused.event).toEqual({ event: 'failed', why: 'refused', message: 'it answers 422: no such work' });
  expect(refused.heard).toHaveLength(1);
});

/** Answers so in turn, the last again and again. */
const inTurn = (...answers: readonly RequestListener[]): RequestListener => {
  const left = [...answers];
  return (request, response) => (left.length > 1 ? left.shift() : left[0])?.(request, response);
};
const begins = (location: string, body = '', more = {}) => says(202, body, { location, ...more });
const breaksOff: RequestListener = (_, response) => void response.destroy();

describe('what is done later', () => {
  test.each([false, true])('is asked for until it is there, where the endpoint says; encrypted: %s', async isSecure => {
    const there: RequestListener = (request, response) =>
      begins(`${isSecure ? 'https' : 'http'}://${request.headers.host}//else.test/7?b=c#d`, 'queued')(request, response);
    const answers = [
      there,
      says(202, 'half\nof it'),
      says(503, 'a moment'),
      breaksOff,
      begins('8'),
      done({ path: 'a', content: 'a' }),
    ];
    const { event, heard, lines, stderr, folder } = await hand(inTurn(...answers), { isSecure });
    expect(event).toEqual({ event: 'done', summary: 'It is done', files: 1 });
    expect(lines).toEqual(['POST /work?a=b', ...Array<string>(4).fill('GET //else.test/7?b=c'), 'GET //else.test/8']);
    expect(heard[1]).toMatchObject({ body: '', headers: { accept: 'application/json', 'skep-run': 'R' } });
    for (const said of [
      '//else.test/7 queued',
      'half of it',
      'it answers 503; asking again',
      isSecure ? 'broke off' : 'does not answer',
      'is asked at //else.test/8',
    ])
      expect(stderr).toContain(said);
    expect(read(folder, 'a')).toBe('a');
  });

  test.each<[string, RequestListener, string, string]>([
    ['could not be done', says(200, { status: 'failed', summary: 'No idea' }), 'gave_up', 'No idea'],
    ['is not known any more', says(404, 'what?'), 'gave_up', 'it knows nothing of its work any more: it answers 404 what?'],
    ['is refused', says(401, 'who are you?'), 'refused', 'it answers 401: who are you?'],
    ['is elsewhere', says(303, '', { location: '/x' }), 'refused', 'redirects are not followed'],
    ['leads elsewhere', begins('http://x.test/'), 'refused', 'leads to http://x.test/'],
  ])('and %s', async (...[, answer, why, message]) => {
    const { event, lines } = await hand(inTurn(begins('/7'), answer, says(204, '')));
    expect(event).toMatchObject({ event: 'failed', why, message: expect.stringContaining(message) as string });
    // What is given up on, and not over at the endpoint, is taken back.
    expect(lines).toEqual(['POST /work?a=b', 'GET /7', ...(why === 'refused' ? ['DELETE /7'] : [])]);
  });

  test('and is given up on is taken back by one who does not wait long for the answer', async () => {
    const { event, lines } = await hand(inTurn(begins('/7'), says(401, 'who are you?'), () => undefined));
    expect([event, lines.at(-1)]).toMatchObject([{ event: 'failed', why: 'refused' }, 'DELETE /7']);
  });

  test('and that a rule does not let be asked for, with what it lacks', async () => {
    const rules = (port: number) => [{ host: besideLoopback, port, private: true, methods: ['POST' as const] }];
    const { event } = await hand(begins('/7'), { rules });
    expect(event).toMatchObject({ why: 'rule', message: expect.stringContaining('does not name this method') as string });
  });

  test('and is broken off is taken back', async () => {
    const onHeard = (line: string, interrupt: () => void): void => {
      if (line === 'GET /7') interrupt();
    };
    const { event, lines } = await hand(begins('/7', '', { 'retry-after': '1' }), { onHeard });
    expect([event, lines.at(-1)]).toEqual([undefined, 'DELETE /7']);
  });

  test('and not in time is taken back', async () => {
    const { event, lines } = await hand(begins('/7'), { timeoutMs: 3_000 });
    expect(event).toEqual({ event: 'failed', why: 'late', message: 'it was not done within 3000 ms' });
    expect(lines.at(-1)).toBe('DELETE /7');
  });

  test('and not in time, by the clock of a worker that began to wait long before, is taken back', async () => {
    const { event, lines } = await hand(begins('/7'), { timeoutMs: 600_000, lateMs: 595_000 });
    expect(event).toMatchObject({ event: 'failed', why: 'late' });
    expect(lines.at(-1)).toBe('DELETE /7');
  });

  test.each([
    ['', 2, 4_000],
    ['', 9, 15_000],
    ['30', 0, 30_000],
    ['0', 5, 1_000],
    ['86400', 0, 300_000],
    ['Fri, 01 Jan 2500 00:00:00 GMT', 0, 300_000],
    ['Fri, 01 Jan 2010 00:00:00 GMT', 5, 1_000],
    ['soon', 1, 2_000],
  ])('Retry-After "%s" after %i looks: %i ms', (named, looks, ms) => {
    const headers = named === '' ? {} : { 'retry-after': named };
    expect(waitMs({ status: 202, headers, body: Buffer.alloc(0), isProxys: false }, looks)).toBe(ms);
  });
});

describe('what is no work', () => {
  const content = 'x';
  test.each<[string, RequestListener, string, string]>([
    ['one that could not', says(200, { status: 'failed', summary: 'No idea' }), 'gave_up', 'No idea'],
    ['no JSON', says(200, 'done!'), 'malformed', 'its answer is no JSON'],
    ['no UTF-8', (_, response) => void response.end(Buffer.from([0x22, 0xff, 0x22])), 'malformed', 'its answer is no JSON'],
    ['another document', says(200, { ok: true }), 'malformed', 'status'],
    ['a path out of the repository', done({ path: '../x', content }), 'malformed', 'give the path of a file'],
    ["a path into git's folder", done({ path: '.git/hooks/post-merge', content }), 'malformed', 'give the path of a file'],
    [
      'a path through a link',
      done({ path: 'fine', content }, { path: 'link/x', content }),
      'malformed',
      'link is a symbolic link',
    ],
    ['a redirect', says(302, '', { location: 'https://elsewhere.test/' }), 'refused', 'leads to https://elsewhere.test/'],
    ['202 that leads nowhere', says(202, ''), 'malformed', '202 without a Location'],
    ['202 that leads to no address', says(202, '', { location: 'http://[' }), 'malformed', 'no address: http://['],
    ['202 that leads elsewhere', says(202, '', { location: '//x.test/1' }), 'refused', 'leads to //x.test/1; its work'],
    ['202 that leads to another port', says(202, '', { location: `http://${besideLoopback}:1/` }), 'refused', 'alone'],
    ['202 that leads to another kind', says(202, '', { location: `ftp://${besideLoopback}/` }), 'refused', 'leads to ftp:'],
    ['204', says(204, ''), 'malformed', 'it must answer 200'],
    ['a refusal', says(401, 'who are you?'), 'refused', 'it answers 401: who are you?'],
    ['a line that breaks off', (_, response) => void response.write('{', () => response.destroy()), 'away', 'broke off'],
    ['more than is taken', (_, response) => void response.end('x'.repeat(34_000_000)), 'malformed', 'more than 33554432 bytes'],
  ])('%s', async (...[, endpoint, why, message]) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'real'));
    symlinkSync(temporaryFolder(), join(folder, 'link'));
    const { event, heard } = await hand(endpoint, { folder });
    expect(event).toMatchObject({ event: 'failed', why });
    expect(event.event === 'failed' && event.message).toContain(message);
    expect(heard).toHaveLength(1);
    expect(existsSync(join(folder, 'fine'))).toBe(false);
  });

  test('a private address that its rule does not allow, with what does', async () => {
    const { event, heard, port } = await hand(done(), { rules: at => [{ host: besideLoopback, port: at }] });
    const message = event.event === 'failed' ? event.message : '';
    expect(message).toContain(`skep project network allow PROJECT ${besideLoopback}:${port} --private`);
    expect(heard).toEqual([]);
  });

  test('what a rule forbids otherwise, with no command that would put another rule in its place', async () => {
    const { event } = await hand(done(), { rules: port => [{ ...allowed(port)[0], host: besideLoopback, methods: ['GET'] }] });
    const message = event.event === 'failed' ? event.message : '';
    expect(message).toContain('the rule of the project does not name this method');
    expect(message).not.toContain('allow PROJECT');
  });

  test.each([false, true])('a host that no rule names, with the rule that would; encrypted: %s', async isSecure => {
    const { event, heard, port } = await hand(done(), { rules: () => [{ host: 'other.test' }], isSecure });
    expect(event).toMatchObject({ event: 'failed', why: 'rule' });
    const message = event.event === 'failed' ? event.message : '';
    expect(message).toContain('no rule of the project names it');
    expect(message).toContain(`skep project network allow PROJECT ${besideLoopback}:${port}`);
    expect(heard).toEqual([]);
  });
});
