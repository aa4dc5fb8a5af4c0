import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { WireVm } from '../../../contract/fleet/vms.ts';
import { type Call, scriptedServer, skep } from '../../../test/harness/cli.ts';
import { startScriptedServer } from '../../../test/harness/scripted-server.ts';
import type { ScriptedServer } from '../../../test/harness/scripted-server.ts';
import { makeRepository, processesWith, script, startWorker } from '../../../test/harness/worker.ts';
import type { TestWorker } from '../../../test/harness/worker.ts';

const at = '2026-01-02T03:04:05.000Z';
const one: WireVm = {
  ...{ id: 'aaaa1111-1', worker: 'build-7', host: 'else\u001b[31mwhere', kind: 'local', isolation: 'namespaces' },
  ...{ run_id: null, ticket_id: 'TKT-007', project_id: null, project: 'demo', state: 'answering', made_at: at, age_ms: 65_000 },
  limits: { memory_bytes: 2 ** 31, process_count: 64, cpu_count: 2, tmp_bytes: 2 ** 20, workspace_bytes: 2 ** 30 },
  use: { memory_bytes: 3 * 2 ** 20, processes: 4, cpu_ms: 1_250, workspace_bytes: null },
  ...{ heard_at: at, kill: null },
};
const two: WireVm = { ...one, id: 'aaaa2222-1', host: hostname(), state: 'lost', kill: { by: 'token:ann', at } };

function answer({ method, path }: Call) {
  if (method === 'POST') return { json: { id: path.split('/')[3], by: 'token:ann', at } };
  const { searchParams } = new URL(path, 'http://x');
  const prefix = searchParams.get('prefix') ?? '';
  return { json: { vms: [one, two].filter(({ id }) => id.startsWith(prefix)) } };
}

let server: Awaited<ReturnType<typeof scriptedServer>>;
const home = mkdtempSync(join(tmpdir(), 'skep-sandbox-'));
beforeAll(async () => {
  server = await scriptedServer(answer);
});
beforeEach(() => void server.calls.splice(0));
afterAll(async () => {
  await server.close();
  rmSync(home, { recursive: true, force: true });
});

const sandbox = (...words: string[]) => skep(['sandbox', ...words], { env: { SKEP_SERVER: server.url, SKEP_HOME: home } });

describe('skep sandbox list and show', () => {
  it('say what there is, without what could steer the terminal', async () => {
    const { code, out } = await sandbox('list');
    expect([code, out.split('\n').length]).toEqual([0, 4]);
    expect(out).toMatch(/^aaaa1111-1 +answering +1 min +TKT-007 +demo +3 MiB of 2048 MiB +4 +local +build-7 +else \[31mwhere$/m);
    expect(out).toMatch(/^aaaa2222-1 +lost, to be killed /m);
    await sandbox('list', '--worker', 'build 7', '--state', 'idle');
    expect(server.calls.at(-1)?.path).toBe('/api/vms?worker=build+7&state=idle');
  });

  it('take the beginning of an id, where only one begins so', async () => {
    const { out } = await sandbox('show', 'aaaa2');
    expect(out).toMatch(/^processor +1\.3 s used, 2 at once$/m);
    expect(out).toMatch(/^to be killed +said by token:ann at 2026/m);
    expect(JSON.parse((await sandbox('show', 'aaaa1', '--json')).out)).toEqual(one);
    expect(await sandbox('show', 'aaaa')).toMatchObject({ code: 2, err: expect.stringContaining('aaaa1111-1, aaaa2222-1') });
    expect(await sandbox('show', 'bbbb')).toMatchObject({ code: 3, err: expect.stringContaining('No sandbox begins with bbbb') });
    expect(await sandbox('show', '../x')).toMatchObject({ code: 2 });
  });
});

describe('skep sandbox kill', () => {
  it('says who is to do it, and whether somebody said so before', async () => {
    expect((await sandbox('kill', 'aaaa1')).out).toBe('aaaa1111-1 is killed by build-7 within a few seconds\n');
    expect(server.calls.at(-1)).toMatchObject({ method: 'POST', path: '/api/vms/aaaa1111-1/kill' });
    expect((await sandbox('kill', 'aaaa2')).out).toBe(
      `aaaa2222-1 is killed once build-7, which fell silent, is back; token:ann said so at ${at}\n`,
    );
    expect(JSON.parse((await sandbox('kill', 'aaaa1', '--json')).out)).toEqual({ id: 'aaaa1111-1', by: 'token:ann', at });
  });
});

describe('skep sandbox exec', () => {
  let skepd: ScriptedServer;
  let worker: TestWorker;
  let id: string;
  beforeAll(async () => {
    skepd = await startScriptedServer();
    worker = await startWorker(skepd, { folder: join(home, 'worker') });
    const run = skepd.queue({ repository: makeRepository({ 'agent.sh': script('sleep 27183') }) });
    await skepd.until(() => run.state === 'working');
    ({ id } = run);
  });
  afterAll(async () => {
    await worker.stop({ graceMs: 0 });
    await skepd.close();
  });

  const exec = (words: readonly string[], around: Parameters<typeof skep>[1] = {}) =>
    skep(['sandbox', 'exec', id.slice(0, 12), ...words], { env: { SKEP_SERVER: server.url, SKEP_HOME: home }, ...around });

  it('passes on what is printed, what is typed in and the exit code, and asks no server', async () => {
    expect(await exec(['--', 'sh', '-c', 'cat; echo err >&2; exit 3'], { stdin: 'in' })).toMatchObject({
      code: 3,
      out: 'in',
      err: 'err\n',
    });
    expect(await exec(['--cwd', '..', '--', 'pwd'])).toMatchObject({ code: 2 });
    expect(server.calls).toEqual([]);
  });

  it('ends as a shell would where the command did not end by itself', async () => {
    expect((await exec(['--', 'sh', '-c', 'kill -KILL $$'])).code).toBe(137);
    expect(await exec(['--', 'no-such'])).toMatchObject({ code: 127, err: 'There is no such program in the sandbox\n' });
    expect(await exec(['--timeout', '1', '--', 'sleep', '27184'])).toMatchObject({
      code: 124,
      err: expect.stringContaining('--timeout'),
    });
  });

  it('prints documents with --json', async () => {
    const { code, out } = await exec(['--json', '--', 'sh', '-c', 'echo grün; exit 4']);
    const lines = out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>);
    expect(code).toBe(4);
    expect(
      lines
        .filter(({ event }) => event === 'output')
        .map(({ text }) => text)
        .join(''),
    ).toBe('grün\n');
    expect(lines.at(-1)).toMatchObject({ event: 'ended', reason: 'exited', code: 4 });
  });

  it('ends the command at Ctrl-C', async () => {
    const stopRequested = async () => {
      await expect.poll(() => processesWith('27185').length).toBeGreaterThan(0);
      return 'SIGINT' as const;
    };
    expect((await exec(['--', 'sleep', '27185'], { stopRequested })).code).toBe(130);
    await expect.poll(() => processesWith('27185')).toEqual([]);
  });

  it('says where the sandbox is that is not here', async () => {
    const elsewhere = await sandbox('exec', 'aaaa1', '--', 'true');
    expect([elsewhere.code, elsewhere.err]).toEqual([4, expect.stringContaining('on another machine: else [31mwhere, where')]);
    const unreached = await sandbox('exec', 'aaaa2', '--', 'true');
    expect([unreached.code, unreached.err]).toEqual([4, expect.stringContaining('cannot be reached from here')]);
    const none = await sandbox('exec', 'bbbb', '--', 'true');
    expect([none.code, none.err]).toEqual([3, expect.stringContaining('No worker of this machine')]);
  });
});

describe('skep sandbox doctor', () => {
  const doctor = async (env: Record<string, string>, ...words: string[]) => skep(['sandbox', 'doctor', ...words], { env });

  it('makes one in each way, and says what holds', async () => {
    const { code, out } = await doctor({ SKEP_HOME: join(home, 'doctor') });
    expect(code).toBe(0);
    expect(out).toMatch(/^local \(set\) +ok {2}bubblewrap .*; one is made, used and removed in \d+ ms$/m);
    expect(out).toMatch(/^ +isolation: namespaces: for projects that ask for namespaces$/m);
    expect(out).toMatch(/^ +network: enforced: it reaches nothing but what is opened for it$/m);
    expect(out).toMatch(/^oci:docker +(ok|no) /m);
  });

  it('ends with 7 where the way that is set cannot, and says why', async () => {
    const broken = join(home, 'broken');
    mkdirSync(broken);
    writeFileSync(join(broken, 'sandboxes'), 'in the way');
    const { code, out } = await doctor({ SKEP_HOME: broken }, '--json');
    const findings = out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>);
    expect(code).toBe(7);
    expect(findings.map(({ provider }) => provider)).toEqual(['local', 'oci', 'oci:runsc', 'oci:docker', 'process']);
    expect(findings[0]).toMatchObject({
      is_set: true,
      ok: false,
      why: expect.stringMatching(/\w/),
      mend: expect.stringMatching(/\w/),
    });
  });

  it('knows no others', async () => {
    const { code, err } = await doctor({ SKEP_HOME: home, SKEP_SANDBOX: 'jail' });
    expect([code, err]).toEqual([2, expect.stringContaining('local, oci')]);
  });
});
