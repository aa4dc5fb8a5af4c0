import { afterEach, expect, test } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';

let server: Awaited<ReturnType<typeof scriptedServer>> | undefined;
afterEach(() => server?.close());

const off = { state: 'off', reason: '', pulled_by: '', pulled_at: null, due_at: null, pulls: 0 };

/** `undefined`: the server knows no brake. */
async function statusWith(brake: object | undefined): Promise<string> {
  server = await scriptedServer(({ path }) => {
    if (path === '/health' || path === '/ready') return { json: { status: 'ok' } };
    if (path !== '/api/brake') return { json: { tickets: [], next: null } };
    return brake === undefined ? { status: 404, fault: 'route_not_found', json: { error: 'No such route' } } : { json: brake };
  });
  const { code, out } = await skep(['status'], { env: { SKEP_SERVER: server.url } });
  expect(code).toBe(0);
  await server.close();
  return out;
}

test('says that the brake is on, why, and how to lift it; and nothing of it otherwise', async () => {
  const pulled = {
    ...off,
    state: 'on',
    reason: 'no network',
    pulled_by: 'storm',
    pulled_at: '2026-01-02T03:04:05.000Z',
    pulls: 1,
  };
  expect(await statusWith(pulled)).toMatch(
    /^brake {4}on: nothing is claimed, until you lift it \(skep brake lift\): no network$/m,
  );
  expect(await statusWith({ ...pulled, due_at: '2026-01-02T03:05:05.000Z' })).toMatch(
    /tried again at 2026-01-02T03:05:05.000Z \(skep/,
  );
  expect(await statusWith({ ...pulled, state: 'trying' })).toMatch(/^brake {4}eased: one run at a time/m);
  for (const quiet of [off, undefined]) expect(await statusWith(quiet)).not.toContain('brake');
});
