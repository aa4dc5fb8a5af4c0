import { afterEach, describe, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';

const row = {
  name: 'build-7',
  incarnation: '6f4b5f0e-1111-4222-8333-444455556666',
  host: 'build\u001b[31m-7',
  version: '1.0.0',
  slots: 4,
  busy: 2,
  capabilities: ['agent:exec', 'label:gpu'],
  sandbox: {},
  state: 'active',
  is_told_to_drain: true,
  started_at: '2026-01-02T03:04:05.000Z',
  beat_at: '2026-01-02T03:04:06.000Z',
};

let server: Awaited<ReturnType<typeof scriptedServer>>;
afterEach(() => server.close());
const say = (...words: string[]) => skep(['worker', ...words], { env: { SKEP_SERVER: server.url, SKEP_TOKEN: 't' } });

describe('skep worker list', () => {
  it('shows each worker in a line, without what could steer a terminal', async () => {
    server = await scriptedServer(() => ({ json: { workers: [row] } }));
    const { out, code } = await say('list');
    expect(code).toBe(0);
    expect(out).toMatch(
      /^build-7 +active, told to drain +2\/4 +build \[31m-7 +1\.0\.0 +2026-01-02T03:04:06 +agent:exec label:gpu$/m,
    );
    expect(out).not.toContain('\u001b');
  });

  it('prints one document a line with --json, behind the verb as before it', async () => {
    server = await scriptedServer(() => ({ json: { workers: [row] } }));
    expect(JSON.parse((await say('list', '--json')).out)).toEqual(row);
  });

  it('says what to do where there is none', async () => {
    server = await scriptedServer(() => ({ json: { workers: [] } }));
    expect(await say('list')).toMatchObject({ out: '', err: expect.stringContaining("'skep worker'"), code: 0 });
  });
});

describe('skep worker drain', () => {
  it.each(['drain', 'undrain'])('%s names the worker in the path, whatever it is called', async verb => {
    server = await scriptedServer(() => ({ status: 204 }));
    const { code, out } = await say(verb, 'a/b c', '--json');
    expect([code, JSON.parse(out)]).toEqual([0, { name: 'a/b c', drains: verb === 'drain' }]);
    expect(server.calls.map(({ method, path }) => [method, path])).toEqual([['POST', `/api/workers/a%2Fb%20c/${verb}`]]);
  });

  it('of one that is not there ends with 3', async () => {
    server = await scriptedServer(() => ({
      status: 404,
      fault: 'worker_not_found',
      json: { error: 'There is no worker named "x"' },
    }));
    expect(await say('drain', 'x')).toMatchObject({ code: 3, err: expect.stringContaining('There is no worker named "x"') });
  });
});

it.each([['two words'], ['-x'], ['ü'], ['a'.repeat(65)]])('skep worker --label %s is refused', async label => {
  server = await scriptedServer(() => ({}));
  const { code, err } = await say(`--label=${label}`);
  expect([code, err]).toEqual([2, expect.stringContaining('is not a label')]);
  expect(server.calls).toEqual([]);
});
