import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { besideLoopback, certificateFor, startHost } from '../../../test/harness/egress.ts';
import type { TestHost } from '../../../test/harness/egress.ts';
import { startScriptedServer } from '../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../test/harness/scripted-server.ts';
import { makeRepository, script, startWorker, temporaryFolder } from '../../../test/harness/worker.ts';
import type { TestWorker } from '../../../test/harness/worker.ts';

let server: ScriptedServer;
let worker: TestWorker;
let plain: TestHost;
let secure: TestHost;

beforeAll(async () => {
  server = await startScriptedServer();
  worker = await startWorker(server);
  const repository = bareRepository();
  plain = await startHost(
    (request, response) => {
      const [path = ''] = (request.url ?? '').split('?');
      if (path === '/left-pad') response.end(JSON.stringify(packument));
      else if (path.startsWith('/demo.git/')) response.end(contentOf(join(repository, path.slice('/demo.git/'.length))));
      else response.end(`hello ${request.method}`);
    },
    undefined,
    besideLoopback,
  );
  secure = await startHost((_request, response) => response.end('hello in secret'), certificateFor('x.test'), besideLoopback);
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
  plain.close();
  secure.close();
});

const packument = {
  name: 'left-pad',
  'dist-tags': { latest: '1.3.0' },
  versions: { '1.3.0': { name: 'left-pad', version: '1.3.0', dist: { tarball: 'http://x.test/x.tgz', shasum: '0'.repeat(40) } } },
};

/** One that can be fetched as plain files. */
function bareRepository(): string {
  const bare = join(temporaryFolder(), 'demo.git');
  cpSync(join(makeRepository({ 'a.txt': 'a' }), '.git'), bare, { recursive: true });
  execFileSync('git', ['-c', 'safe.directory=*', '-C', bare, 'update-server-info']);
  return bare;
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

const ended = (run: QueuedRun) => () => ['submitted', 'parked', 'failed', 'lost'].includes(run.state);

async function run(lines: readonly string[], task: QueuedTask = {}): Promise<QueuedRun> {
  const repository = makeRepository({ 'agent.sh': script(...lines, 'date +%N > done') });
  const queued = server.queue({ repository, ...task });
  await server.until(ended(queued));
  return queued;
}

const rulesFor = (...hosts: readonly TestHost[]) => hosts.map(({ port }) => ({ host: besideLoopback, port, private: true }));
const refusedIn = (queued: QueuedRun) =>
  queued.events.filter(({ type }) => type === 'network.refused').map(({ payload }) => payload);

describe('programs of a sandbox', () => {
  it('that are made for the net find the hosts that are allowed: curl, git, npm and Node', async () => {
    const [http, https] = [`http://${besideLoopback}:${plain.port}`, `https://${besideLoopback}:${secure.port}`];
    const queued = await run(
      [
        `curl -sS -m 20 ${http}/a; echo`,
        `curl -sSk -m 20 ${https}/b; echo`,
        `git ls-remote ${http}/demo.git HEAD | cut -c41-`,
        `npm_config_registry=${http} npm view left-pad version --fetch-retries 0 --cache /tmp/npm`,
        `node -e "require('http').get({ host: '127.0.0.1', port: 7712, path: '${http}/c', headers: { host: '${besideLoopback}:${plain.port}' } }, a => a.pipe(process.stdout))"; echo`,
      ],
      { network: rulesFor(plain, secure) },
    );
    expect(queued.failure).toBeUndefined();
    expect(queued.log.toString().split('\n')).toEqual(['hello GET', 'hello in secret', '\tHEAD', '1.3.0', 'hello GET', '']);
    expect(refusedIn(queued)).toEqual([]);
  });

  it('are told why they do not reach others, and the run tells which those were', async () => {
    const queued = await run(
      [
        'for i in 1 2 3; do curl -sS -m 20 https://registry.test/x; done; curl -sS -m 20 http://other.test:8080/y',
        `curl -s -m 5 --noproxy '*' http://${besideLoopback}:${plain.port}/ || echo no way around`,
      ],
      { network: rulesFor(plain) },
    );
    expect(queued.log.toString()).toContain('GET other.test:8080 was refused: no rule of the project names it');
    expect(queued.log.toString()).toMatch(/CONNECT tunnel failed, response 403[^]*no way around/);
    expect(refusedIn(queued)).toEqual([
      { host: 'registry.test', port: 443, method: 'CONNECT', reason: 'host', count: 1 },
      { host: 'other.test', port: 8080, method: 'GET', reason: 'host', count: 1 },
      { host: 'registry.test', port: 443, method: 'CONNECT', reason: 'host', count: 3 },
    ]);
  });

  it("do not reach Skep's own server, whatever a rule says", async () => {
    const { port } = new URL(server.url);
    const before = server.requests.length;
    const queued = await run([`curl -sS -m 20 -o /dev/null http://127.0.0.3:${port}/api/runs`], {
      network: [{ host: '127.0.0.3', port: Number(port), private: true }],
    });
    expect(refusedIn(queued).map(({ reason }) => reason)).toEqual(['guarded']);
    expect(server.requests.slice(before).map(({ path }) => path)).not.toContain('/api/runs');
  });

  it('have nothing of it without rules', async () => {
    const queued = await run(['env | grep -i proxy', 'ls /skep', `curl -s -m 5 http://127.0.0.1:7712 || echo nobody listens`]);
    expect(queued.log.toString()).not.toMatch(/proxy|egress|control/i);
    expect(queued.log.toString()).toContain('nobody listens');
  });

  it('have the gateway beside it where there is a model', async () => {
    server.onGateway((_request, response) => response.end('the gateway'));
    const queued = await run(['curl -sS $SKEP_GATEWAY_URL/x; echo', `curl -sS http://${besideLoopback}:${plain.port}/; echo`], {
      network: rulesFor(plain),
      agent: { kind: 'exec', command: ['./agent.sh'], model: 'recorded/demo' },
    });
    expect(queued.log.toString()).toBe('the gateway\nhello GET\n');
  });

  it('in checks of a review have it too', async () => {
    const fetched = { name: 'fetch', command: ['curl', '-sSf', '-m', '20', `http://${besideLoopback}:${plain.port}/`] };
    const refused = { name: 'other', command: ['curl', '-sSf', '-m', '20', 'http://other.test/'] };
    const queued = await run([], { subject: 'review', checks: [fetched, refused], network: rulesFor(plain) });
    expect(queued.result?.checks?.map(({ outcome, exit_code: code }) => [outcome, code])).toEqual([
      ['exited', 0],
      ['exited', 22],
    ]);
    expect(refusedIn(queued).map(({ host, count }) => [host, count])).toEqual([
      ['other.test', 1],
      ['other.test', 2],
    ]);
  });

  it('are ended as others are: a check by its time, one that is not there', async () => {
    const slow = { name: 'slow', command: ['sleep', '60'] };
    const absent = { name: 'absent', command: ['no-such-program'] };
    const limits = { timeout_ms: 2_000 };
    const queued = await run([], { subject: 'review', checks: [slow, absent], network: rulesFor(plain), limits });
    expect(queued.result?.checks?.map(({ outcome }) => outcome)).toEqual(['timeout', 'not_found']);
  });
});
