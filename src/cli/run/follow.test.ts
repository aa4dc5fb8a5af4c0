import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { skep } from '../../../test/harness/cli.ts';
import { type TestApi, testApi } from '../../../test/harness/server.ts';

let api: TestApi;
beforeEach(async () => {
  api = await testApi({ SKEP_LEASE_MS: '600000' });
});
afterEach(() => api.stop());

interface Lease {
  readonly id: string;
  readonly ticket: string;
  readonly token: string;
}

async function claimed(): Promise<Lease> {
  const project = await api.call('POST', '/api/projects', {
    name: 'web',
    checks: [],
    agent: { kind: 'exec', command: ['true'] },
  });
  const made = await api.call('POST', '/api/tickets', { project_id: project.body['id'], title: 'Sort' });
  const { body } = await api.call('POST', '/api/claim', { worker: 'w1', wait_ms: 20_000 });
  const { run, lease } = body as { run: { id: string }; lease: { token: string } };
  return { id: run.id, ticket: String(made.body['id']), token: lease.token };
}

const phase = ({ id, token }: Lease, name: string) =>
  api.call('POST', `/api/runs/${id}/events`, { token, type: 'phase.started', payload: { phase: name } });

async function write({ id, token }: Lease, text: string, offset: number): Promise<void> {
  const headers = { authorization: `Bearer ${api.adminToken}`, 'skep-lease': token, 'content-type': 'text/plain' };
  const answer = await fetch(`${api.url}/api/runs/${id}/log?offset=${offset}`, { method: 'POST', headers, body: text });
  expect(answer.status).toBe(200);
}

const fail = ({ id, token }: Lease) =>
  api.call('POST', '/api/fail', { run_id: id, token, class: 'agent_missing', message: 'there is\u001b[2J no agent' });

const around = () => ({ env: { SKEP_SERVER: api.url, SKEP_TOKEN: api.adminToken } });
const withoutTimes = (text: string) =>
  text
    .replace(/^-- \d\d:\d\d:\d\dZ {2}/gm, '-- ')
    .trimEnd()
    .split('\n');

describe('a run is followed', () => {
  test('from its beginning to its end, over a restart of the server; nothing comes twice', async () => {
    const lease = await claimed();
    await phase(lease, 'prepare_sandbox');
    const steps = [
      { at: 'first', act: () => write(lease, 'second', 6).then(() => api.restart()) },
      { at: 'second', act: () => phase(lease, 'stream').then(() => fail(lease)) },
    ];
    let going: Promise<unknown> = Promise.resolve();
    await write(lease, 'first\n', 0);
    const { code, out, err } = await skep(['run', 'follow', lease.id.slice(0, 8)], {
      ...around(),
      onOut(all) {
        if (steps[0] !== undefined && all.includes(steps[0].at)) {
          const { act } = steps.shift() ?? {};
          going = going.then(async () => {
            await act?.();
          });
        }
      },
    });
    await going;
    expect(code).toBe(1);
    expect(err.replace(/.*trying again\n/, '')).toBe('');
    expect(withoutTimes(out)).toEqual([
      '-- queued',
      '-- claimed by w1',
      '-- phase prepare_sandbox',
      'first',
      'second',
      '-- phase stream',
      '-- failed: agent_missing: there is [2J no agent',
    ]);
  });

  test('with --json as events and pieces of the log, one document a line', async () => {
    const lease = await claimed();
    await write(lease, 'grün\n', 0);
    await api.call('POST', '/api/complete', { run_id: lease.id, token: lease.token, result: {} });
    const { code, out } = await skep(['run', 'follow', lease.id, '--json'], around());
    expect(code).toBe(0);
    const documents = out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as { type: string; text?: string });
    expect(documents.map(({ type }) => type).slice(0, 4)).toEqual(['run.queued', 'run.leased', 'log', 'run.submitted']);
    expect(documents.find(({ type }) => type === 'log')?.text).toBe('grün\n');
  });

  test('that there is none is said at once', async () => {
    expect(await skep(['run', 'follow', '6f4b5f0e-1111-4222-8333-444455556666'], around())).toMatchObject({ code: 3 });
  });
});

describe('a run is shown, filtered and tried again', () => {
  test('with what it does, how it is heard of, and what it has kept', async () => {
    const lease = await claimed();
    await phase(lease, 'stream');
    const headers = {
      authorization: `Bearer ${api.adminToken}`,
      'skep-lease': lease.token,
      'content-type': 'application/octet-stream',
    };
    const kept = await fetch(`${api.url}/api/runs/${lease.id}/artifacts/report.xml`, { method: 'PUT', headers, body: 'x' });
    expect(kept.status).toBe(200);
    const { out } = await skep(['run', 'show', lease.id], around());
    expect(out).toMatch(/^phase +stream$/m);
    expect(out).toMatch(/^health +ok$/m);
    expect(out).toMatch(/^kept +report.xml$/m);
    const { out: json } = await skep(['run', 'show', lease.id, '--json'], around());
    expect(JSON.parse(json)).toMatchObject({
      id: lease.id,
      phase: 'stream',
      continues: null,
      aged_at: null,
      artifacts: ['report.xml'],
    });
    const listed = async (...options: string[]) =>
      (await skep(['run', 'list', ...options], around())).out.includes(lease.id.slice(0, 8));
    expect(await listed('--project', 'web', '--worker', 'w1', '--health', 'ok')).toBe(true);
    expect(await listed('--health', 'late')).toBe(false);
    expect(await listed('--worker', 'w2')).toBe(false);
    expect(await skep(['run', 'list', '--project', 'nowhere'], around())).toMatchObject({ code: 3 });
  });

  test('again where its ticket has failed', async () => {
    const lease = await claimed();
    expect(await skep(['run', 'retry', lease.id], around())).toMatchObject({
      code: 4,
      err: expect.stringContaining(`Stop it first, which fails its ticket: skep run cancel ${lease.id}`),
    });
    await fail(lease);
    expect(await skep(['run', 'retry', lease.id], around())).toMatchObject({
      code: 0,
      out: expect.stringContaining(lease.ticket),
    });
    const { body } = await api.call('POST', '/api/claim', { worker: 'w1', wait_ms: 20_000 });
    expect(body['run']).toMatchObject({ subject_id: lease.ticket, attempt: 2 });
  });
});
