import { readFileSync } from 'node:fs';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { testApi } from '../harness/server.ts';

const guide = readFileSync(new URL('../../docs/guides/worker-protocol.md', import.meta.url), 'utf8');

test('the commands of the worker protocol guide take a ticket from ready to completed', async () => {
  const api = await testApi();
  try {
    const commands = [...guide.matchAll(/^```sh\n(.*?)^```$/gms)].map(match => match[1]);
    expect(commands.length).toBeGreaterThanOrEqual(7);
    const script = ['set -euo pipefail', ...commands].join('\n');
    const env = { SKEP_URL: api.url, SKEP_TOKEN: api.adminToken };
    const { exitCode, all } = await execa('bash', ['-c', script], { env, all: true, reject: false, timeout: 30_000 });
    expect([exitCode, all]).toEqual([0, expect.stringContaining('hello.txt | 1 +')]);
    const { body } = await api.call('GET', '/api/tickets?type=feature');
    expect(body['tickets']).toMatchObject([{ status: 'completed', proof: 'unproven', attempts: 1, branch_name: 'skep/TKT-001' }]);
  } finally {
    await api.stop();
  }
});
