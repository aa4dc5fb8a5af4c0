import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import type { Answer, Call } from '../../../test/harness/cli.ts';

const id = 'eeee1111-2222-4333-8444-555555555555';
const at = '2026-01-02T03:04:05.000Z';
const run = {
  ...{ id, subject_type: 'ticket', subject_id: 'TKT-001', ticket_id: 'TKT-001', project_id: null, attempt: 1, state: 'lost' },
  ...{ worker: 'w', fence: 1, lease_expires_at: null, health: 'ok', phase: null, failure_class: null, failure_message: null },
  ...{ result: null, created_at: at, leased_at: at, started_at: at, ended_at: at },
};

let server: Awaited<ReturnType<typeof scriptedServer>>;
let folder: string;
let isRescued = true;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'skep-rescue-'));
  server = await scriptedServer(({ path }: Call): Answer => {
    if (path.startsWith('/api/runs?')) return { json: { runs: [run], next: null } };
    if (!path.endsWith('/rescue')) return { json: run };
    if (isRescued) return { text: '# v2 git bundle\n' };
    return { status: 404, fault: 'blob_not_found', json: { error: 'No work of this run was rescued' } };
  });
});
afterEach(async () => {
  isRescued = true;
  await server.close();
  rmSync(folder, { recursive: true });
});

const rescue = (file: string) => skep(['run', 'rescue', 'eeee', '--output', file], { env: { SKEP_SERVER: server.url } });

it('saves what was rescued of a run, and nothing over a file that is there', async () => {
  const file = join(folder, 'left.bundle');
  const { code, out } = await rescue(file);
  expect([code, readFileSync(file, 'utf8')]).toEqual([0, '# v2 git bundle\n']);
  expect(out).toContain(`git bundle list-heads ${file}`);
  expect(await rescue(file)).toMatchObject({ code: 4 });
});

it('says where there is nothing', async () => {
  isRescued = false;
  const { code, err } = await rescue(join(folder, 'none.bundle'));
  expect([code, err]).toEqual([3, expect.stringContaining('No work of this run was rescued')]);
});
