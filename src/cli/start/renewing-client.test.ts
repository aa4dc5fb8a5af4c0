import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { scriptedServer } from '../../../test/harness/cli.ts';
import { systemClock } from '../../kernel/clock.ts';
import { createRenewingClient } from './renewing-client.ts';

const hourMs = 3_600_000;
let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeEach(async () => {
  server = await scriptedServer(() => ({ json: {} }));
});
afterEach(() => server.close());

describe('the client of the worker beside its server', () => {
  it('takes a new token before the old one ends', async () => {
    let nowMs = 0;
    let minted = 0;
    const client = createRenewingClient({
      server: server.url,
      clock: { ...systemClock, now: () => nowMs },
      mintToken: () => Promise.resolve(`token ${(minted += 1)}`),
    });
    const call = () => client.request('GET', '/', { schema: z.unknown() });
    await Promise.all([call(), call()]);
    nowMs += 11 * hourMs;
    await call();
    nowMs += 2 * hourMs;
    await call();
    expect(server.calls.map(({ token }) => token)).toEqual(['token 1', 'token 1', 'token 1', 'token 2']);
  });

  it('tries again after it got none', async () => {
    const answers = [() => Promise.reject(new Error('no database')), () => Promise.resolve('token')];
    const client = createRenewingClient({
      server: server.url,
      clock: systemClock,
      mintToken: () => (answers.shift() ?? (() => Promise.reject(new Error('asked too often'))))(),
    });
    await expect(client.request('GET', '/', { schema: z.unknown() })).rejects.toThrow('no database');
    await client.request('GET', '/', { schema: z.unknown() });
    expect(server.calls.map(({ token }) => token)).toEqual(['token']);
  });
});
