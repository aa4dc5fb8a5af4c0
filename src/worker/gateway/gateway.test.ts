import type { Halt } from '../../../contract/runs.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startScriptedServer } from '../../../test/harness/scripted-server.ts';
import type { QueuedRun, QueuedTask, ScriptedServer } from '../../../test/harness/scripted-server.ts';
import { makeRepository, processesWith, script, startWorker } from '../../../test/harness/worker.ts';
import type { TestWorker } from '../../../test/harness/worker.ts';

let server: ScriptedServer;
let worker: TestWorker;

beforeAll(async () => {
  server = await startScriptedServer();
  worker = await startWorker(server);
});
afterAll(async () => {
  await worker.stop({ graceMs: 0 });
  await server.close();
});

const ended = (run: QueuedRun) => () => ['submitted', 'parked', 'failed', 'lost'].includes(run.state);

/** A run of an agent with a model, which is this script of Node. */
async function run(lines: readonly string[], task: QueuedTask = {}): Promise<QueuedRun> {
  const queued = begin(lines, task);
  await server.until(ended(queued));
  return queued;
}

function begin(lines: readonly string[], task: QueuedTask = {}, at = server): QueuedRun {
  const repository = makeRepository({ 'agent.mjs': lines.join('\n') });
  return at.queue({ repository, agent: { kind: 'exec', command: ['node', 'agent.mjs'], model: 'recorded/demo' }, ...task });
}

const said = (run: QueuedRun): string => run.log.toString();
const url = 'const url = process.env.SKEP_GATEWAY_URL;';
const write = "import { writeFileSync } from 'node:fs'; writeFileSync('x', 'x');";

describe('an agent with a model', () => {
  it('reaches the gateway with its run token, and streams come as they are sent', async () => {
    const seen: string[] = [];
    server.onGateway((request, response) => {
      seen.push(
        `${request.method} ${request.url} ${request.headers.authorization} ${String(request.headers['x-forwarded-for'] ?? 'nobody')}`,
      );
      request.once('data', (first: Buffer) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(`heard ${first.toString()}`);
        // What comes next is sent only when the first part of the answer has arrived.
        request.once('data', (second: Buffer) => response.end(` and ${second.toString()}`));
      });
    });
    const queued = await run([
      "import { request } from 'node:http'; console.log(process.env.SKEP_RUN_TOKEN);",
      url,
      write,
      'const headers = { authorization: `Bearer ${process.env.SKEP_RUN_TOKEN}`, "x-forwarded-for": "10.0.0.1" };',
      'const call = request(`${url}/v1/echo?a=b`, { method: "POST", headers });',
      'call.on("response", answer => { answer.once("data", () => call.end("two")); answer.pipe(process.stdout); });',
      'call.write("one");',
    ]);
    expect(queued.failure).toBeUndefined();
    const [printed = '', answer] = said(queued).split('\n');
    expect(answer).toBe('heard one and two');
    expect(seen).toEqual([expect.stringMatching(/^POST \/gateway\/v1\/echo\?a=b Bearer skeprun_\S+ nobody$/)]);
    // What it prints of its token is not kept.
    expect(printed).toMatch(/^\*{20,}$/);
    expect(queued.state).toBe('submitted');
  });

  it('reaches nothing else', async () => {
    const heard: (string | undefined)[] = [];
    server.onGateway((request, response) => {
      heard.push(request.url);
      response.end('ok');
    });
    const targets = [
      '/api/claim',
      '/gateway/../api/claim',
      '/gateway/%2e%2e/api',
      '/gateway/a%2f..%2f..%2fapi',
      '/gatewayx',
      '//x/gateway/',
    ];
    const queued = await run([
      "import { connect } from 'node:net';",
      write,
      'const ask = head => new Promise(done => { let all = ""; connect(7711, "127.0.0.1").on("data", d => all += d).on("close", () => done(all.split("\\r\\n")[0])).write(head); });',
      `for (const target of ${JSON.stringify([...targets, 'http://127.0.0.1/gateway/absolute'])})`,
      '  console.log(await ask(`GET ${target} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n`));',
      'console.log(await ask("GET /gateway/ok HTTP/1.1\\r\\nHost: evil.example\\r\\nConnection: close\\r\\n\\r\\n"));',
      'console.log(await ask("PUT /gateway/ok HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n"));',
      'console.log(await ask(`GET /gateway/ok HTTP/1.1\\r\\nHost: x\\r\\nBig: ${"x".repeat(60000)}\\r\\n\\r\\n`) || "hung up");',
    ]);
    expect(said(queued).trim().split('\n')).toEqual([
      ...Array.from({ length: 7 }, () => 'HTTP/1.1 403 Forbidden'),
      'HTTP/1.1 200 OK',
      'HTTP/1.1 405 Method Not Allowed',
      'hung up',
    ]);
    expect(heard).toEqual(['/gateway/ok']);
  });

  it('sees an answer that breaks off as broken off', async () => {
    server.onGateway((_request, response) => {
      response.writeHead(200);
      response.write('half', () => response.destroy());
    });
    const queued = await run([write, url, 'console.log(await fetch(url).then(a => a.text()).catch(error => error.cause.code));']);
    expect(said(queued)).toMatch(/^(UND_ERR_SOCKET|ECONNRESET)/);
  });

  it('reports by skep-report, in each way of giving fields', async () => {
    const reports: string[] = [];
    server.onGateway((request, response) => {
      let body = '';
      request.on('data', chunk => (body += String(chunk)));
      request.on('end', () => {
        reports.push(`${request.url} ${body}`);
        const isRefused = request.url?.endsWith('report_blocker') === true;
        // The second time as after a wait: blanks, and then a refusal that has no status of its own.
        const isLate = isRefused && reports.at(-2)?.includes('report_blocker') === true;
        response.writeHead(isRefused && !isLate ? 422 : 200).end(isRefused ? '  {"error":"say why"}' : '{"ok":true}');
      });
    });
    const repository = makeRepository({
      'agent.sh': script(
        'echo x > x',
        'skep-report submit_result --status done --summary "It works" --files=a',
        `skep-report save-memory --json '{"text":"a \\"quoted\\" one"}'`,
        'skep-report ask_human --question Which? --options This --options That',
        `echo '{"question":"Which?"}' | skep-report ask_human --json -; echo "exit $?"`,
        'skep-report report_blocker; echo "exit $?"; skep-report report_blocker; echo "exit $?"',
        'skep-report nonsense --no 2> /dev/null; echo "exit $?"',
      ),
    });
    const queued = await run([], { repository, agent: { kind: 'exec', command: ['./agent.sh'], model: 'm' } });
    expect(reports).toEqual([
      '/gateway/report/submit_result {"status":"done","summary":"It works","files":["a"]}',
      '/gateway/report/save_memory {"text":"a \\"quoted\\" one"}',
      '/gateway/report/ask_human {"question":"Which?","options":["This","That"]}',
      '/gateway/report/ask_human {"question":"Which?"}',
      '/gateway/report/report_blocker {}',
      '/gateway/report/report_blocker {}',
    ]);
    expect(said(queued)).toBe(`${'{"ok":true}\n'.repeat(4)}exit 0\n${'{"error":"say why"}\nexit 1\n'.repeat(2)}exit 2\n`);
  });

  it('whose program is missing is told apart from one that ends with the same code', async () => {
    const missing = await run([], { agent: { kind: 'exec', command: ['no-such-agent'], model: 'm' } });
    expect(missing.failure).toMatchObject({
      class: 'agent_missing',
      message: expect.stringContaining("'no-such-agent'") as string,
    });
    const failing = await run(['process.exit(127)']);
    expect(failing.failure).toMatchObject({ class: 'agent_failed', message: expect.stringContaining('exit code 127') as string });
    const killed = await run(['process.kill(process.pid, "SIGSEGV")']);
    expect(killed.failure).toMatchObject({ class: 'agent_died', message: expect.stringContaining('SIGSEGV') as string });
  });

  it('is told in a long task, with its own environment and HOME alone', async () => {
    const title = 'x'.repeat(190);
    const queued = await run(
      [
        write,
        "import { readFileSync, readdirSync } from 'node:fs';",
        'console.log(JSON.parse(readFileSync(0)).title.length, readFileSync(0).length);',
        'console.log(Object.keys(process.env).sort().join(" "));',
        'console.log(readdirSync(process.env.HOME).length, process.env.SKEP_MODEL);',
      ],
      { title },
    );
    expect(said(queued).split('\n')).toEqual([
      '190 0',
      'HOME LANG PATH SKEP_ATTEMPT SKEP_GATEWAY_URL SKEP_MODEL SKEP_RUN_ID SKEP_RUN_TOKEN SKEP_TICKET SKEP_TICKET_ID',
      '0 recorded/demo',
      '',
    ]);
  });
});

describe('an agent whose worker is stopped', () => {
  it('is asked to end, and can', async () => {
    const own = await startScriptedServer();
    const stopping = await startWorker(own);
    const paths: (string | undefined)[] = [];
    own.onGateway((request, response) => {
      paths.push(request.url);
      response.end();
    });
    const queued = begin(
      [
        url,
        write,
        'process.on("SIGINT", async () => { await fetch(`${url}/interrupted`); writeFileSync("asked", ""); process.exit(0); });',
        'setInterval(() => {}, 1000); await fetch(`${url}/begun`);',
      ],
      {},
      own,
    );
    await expect.poll(() => paths.length, { timeout: 15_000 }).toBe(1);
    await stopping.stop({ graceMs: 0 });
    await own.close();
    expect(paths).toEqual(['/gateway/begun', '/gateway/interrupted']);
    expect(queued).toMatchObject({ failure: { class: 'stopped' }, result: { summary: '2 files changed, 1 insertion(+)' } });
  });
});

describe('an agent whose run is taken away', () => {
  it('is killed at once with all that it started', async () => {
    const mark = '16180';
    server.onGateway((_request, response) => {
      response.end();
      queued.takeBack();
    });
    const queued = begin(
      [
        url,
        "import { spawn } from 'node:child_process';",
        `process.on("SIGINT", () => {}); spawn("sleep", ["${mark}"], { detached: true }); await fetch(url); setInterval(() => {}, 1000);`,
      ],
      { leaseMs: 1_000 },
    );
    await expect.poll(() => processesWith(mark).length).toBe(1);
    await expect.poll(() => queued.state).toBe('lost');
    const since = performance.now();
    await expect
      .poll(() => worker.changes.some(change => change.kind === 'ended' && change.claimed.run.id === queued.id), {
        timeout: 15_000,
      })
      .toBe(true);
    expect(performance.now() - since).toBeLessThan(5_000);
    expect(processesWith(mark)).toEqual([]);
  });
});

describe('a run that cannot go on', () => {
  /** Begins a run whose first call is refused, which the server knows from then on. */
  async function halted(halt: Halt, lines: readonly string[]): Promise<QueuedRun> {
    const queued = begin(lines);
    server.onGateway((_request, response) => {
      queued.halt(halt);
      response.writeHead(402).end('{"error":{"message":"The budget is spent"}}');
    });
    await server.until(ended(queued));
    return queued;
  }

  const parking = [
    { kind: 'budget', message: 'The budget of the run is spent' },
    { kind: 'question', message: 'The agent asks: Which?' },
  ] as const;
  const call = 'const answer = await fetch(`${url}/v1/x`);';

  it.each(parking)('for a $kind is parked with its work', async halt => {
    const queued = await halted(halt, [url, write, call, 'process.exit(answer.status === 402 ? 1 : 0);']);
    expect(queued).toMatchObject({ state: 'parked', failure: undefined, result: { branch: `skep/${queued.ticketId}` } });
    expect(queued.bundle?.length).toBeGreaterThan(100);
    await expect.poll(() => worker.changes.at(-1)).toMatchObject({ kind: 'ended', end: { kind: 'parked', halt } });
  });

  it.each(parking)(
    'for a $kind is parked also where nothing was changed, and where the agent says that it is done',
    async halt => {
      const queued = await halted(halt, [url, call, 'console.log(answer.status);']);
      expect(queued).toMatchObject({ state: 'parked', result: { summary: '' }, bundle: undefined });
    },
  );

  it.each([
    ['blocked', 'blocked'],
    ['recording', 'model'],
    ['model', 'model'],
    ['unfinished', 'agent_failed'],
  ] as const)('for %s fails as %s, though the agent says that it is done', async (kind, name) => {
    const queued = await halted({ kind, message: 'A person must look' }, [url, write, call]);
    expect(queued.failure).toEqual({ class: name, message: 'A person must look' });
  });

  it('fails by the words of an agent that has seen by itself that its turn was not finished', async () => {
    const halt = { kind: 'unfinished', message: 'The last answer of its model broke off' } as const;
    const queued = await halted(halt, [url, write, call, 'console.error("it broke off"); process.exit(1);']);
    expect(queued.failure?.class).toBe('agent_failed');
    expect(queued.failure?.message).toContain('it broke off');
    expect(queued.failure?.message).not.toContain(halt.message);
  });
});
