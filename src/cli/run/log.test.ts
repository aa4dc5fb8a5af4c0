import { afterEach, describe, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import type { Answer, Call } from '../../../test/harness/cli.ts';

const at = '2026-01-02T03:04:05.000Z';
const id = 'eeee1111-2222-4333-8444-555555555555';
const run = (state: string, more: object = {}) => ({
  id,
  subject_type: 'ticket',
  subject_id: 'TKT-001',
  ticket_id: 'TKT-001',
  attempt: 1,
  state,
  worker: 'w',
  fence: 1,
  ...{ project_id: null, health: 'ok', phase: null },
  lease_expires_at: null,
  failure_class: null,
  failure_message: null,
  result: null,
  created_at: at,
  leased_at: at,
  started_at: at,
  ended_at: state === 'working' ? null : at,
  ...more,
});

let server: Awaited<ReturnType<typeof scriptedServer>> | undefined;
afterEach(() => server?.close());

/** A log that grows by one part each time that the run is looked at; the last look says that it has ended. */
async function growing(parts: readonly Uint8Array[]) {
  let looks = 0;
  return scriptedServer(({ path }: Call): Answer => {
    const url = new URL(path, 'http://server');
    if (url.pathname === '/api/runs')
      return {
        json: {
          runs: [run('failed', { id: 'ffff1111-2222-4333-8444-555555555555' }), run('working', { attempt: 2 })],
          next: null,
        },
      };
    if (url.pathname === `/api/runs/${id}`) {
      looks += 1;
      return { json: run(looks < parts.length ? 'working' : 'accepted') };
    }
    if (!url.pathname.endsWith('/log')) return { status: 404, json: { error: 'no' } };
    return { text: Buffer.concat(parts.slice(0, Math.max(1, looks))).subarray(Number(url.searchParams.get('offset'))) };
  });
}

describe('the log of a run', () => {
  it('is followed until the run ends, by bytes', async () => {
    const text = 'grün 漢字\nok\n';
    const bytes = Buffer.from(text);
    // Cut within letters.
    server = await growing([bytes.subarray(0, 3), bytes.subarray(3, 8), bytes.subarray(8)]);
    const { code, out } = await skep(['ticket', 'log', '1', '--follow', '--json'], { env: { SKEP_SERVER: server.url } });
    expect(code).toBe(0);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map(line => (JSON.parse(line) as { text: string }).text)
        .join(''),
    ).toBe(text);
    const offsets = server.calls.filter(({ path }) => path.includes('/log')).map(({ path }) => path);
    expect(offsets).toEqual([0, 3, 8].map(offset => `/api/runs/${id}/log?offset=${offset}`));
  });

  it('is printed as it is where stdout is no terminal, and tamed where it is one', async () => {
    const wild = Buffer.from('\u001b[31mred\u001b[0m \u001b]52;c;aGk=\u0007\u001b[2Jplain\u0000\n');
    server = await growing([wild]);
    const around = { env: { SKEP_SERVER: server.url } };
    expect((await skep(['run', 'log', id], around)).out).toBe(wild.toString());
    expect((await skep(['run', 'log', 'eeee1111'], { ...around, isTerminal: true })).out).toBe('\u001b[31mred\u001b[0m plain\n');
  });

  it('does not exist before the first run', async () => {
    server = await scriptedServer(({ path }) =>
      path.startsWith('/api/runs')
        ? { json: { runs: [], next: null } }
        : { status: 404, fault: 'ticket_not_found', json: { error: 'Ticket not found' } },
    );
    const { code, err } = await skep(['ticket', 'log', '1'], { env: { SKEP_SERVER: server.url } });
    expect(code).toBe(3);
    expect(err).toBe('error: Ticket not found\n');
  });

  it('names the refusal of the server', async () => {
    server = await scriptedServer(() => ({ status: 403, fault: 'forbidden', json: { error: 'This token may not do that' } }));
    const { code, err } = await skep(['run', 'log', id], { env: { SKEP_SERVER: server.url } });
    expect(code).toBe(5);
    expect(err).toContain('This token may not do that');
  });
});

describe('skep run', () => {
  it('lists', async () => {
    server = await growing([Buffer.from('x')]);
    const { out } = await skep(['run', 'list', '--ticket', '1'], { env: { SKEP_SERVER: server.url } });
    expect(out).toContain('eeee1111  TKT-001        2  working  -       -      w       2026-01-02T03:04:05  -\n');
    expect(server.calls[0]?.path).toBe('/api/runs?ticket_id=TKT-001&limit=500');
  });
});
