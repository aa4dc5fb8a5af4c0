import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { leaseHeader } from '../../../contract/runs.ts';
import { systemClock } from '../../../src/kernel/clock.ts';
import { until } from '../../harness/process.ts';
import { callWith } from '../../harness/server.ts';
import type { Load } from '../load.ts';
import { patienceMs } from '../world.ts';

const ballast = 'ballast';
let projects = 0;
const piece = Buffer.alloc(65_536, 1);

/** To the last byte that is free now. */
export function fill(disk: string): void {
  const file = openSync(join(disk, ballast), 'a');
  try {
    for (let size = piece.length; size > 0; ) {
      try {
        if (writeSync(file, piece, 0, size) < size) size = Math.floor(size / 2);
      } catch {
        size = Math.floor(size / 2);
      }
    }
  } finally {
    closeSync(file);
  }
}

/** What somebody removes meanwhile is filled too. */
export async function keepFull(disk: string, ms: number): Promise<void> {
  for (const end = systemClock.mono() + ms; systemClock.mono() < end; await systemClock.sleep(refillMs)) fill(disk);
}

const refillMs = 20;

export function free(disk: string): void {
  rmSync(join(disk, ballast), { force: true });
}

/** Whoever uploads is told what it is: 507. */
export async function uploadIsRefused({ urls, token, ask, pour, made }: Load): Promise<void> {
  await pour(1);
  const id = made.at(-1)?.id ?? '';
  const got = await until(
    'a claim',
    async () => {
      const answer = await ask('POST', '/api/claim', { worker: 'hand', ticket_id: id, wait_ms: 500 });
      return answer.status === 200 ? (answer.body as { run: { id: string }; lease: { token: string } }) : undefined;
    },
    patienceMs,
  );
  const headers = {
    ...{ authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
    [leaseHeader]: got.lease.token,
  };
  const body = Buffer.concat([Buffer.from('# v2 git bundle\n'), Buffer.alloc(1_048_576)]);
  const answer = await fetch(`${urls[0]}/api/runs/${got.run.id}/bundle`, { method: 'PUT', headers, body });
  expect([answer.status, answer.headers.get('skep-fault')]).toEqual([507, 'disk_full']);
}

/** Tickets are asked for until one is refused, and then with what; what was answered with 201 is in the book. */
export async function refusals({ urls, token, project }: Load, countMax: number): Promise<Set<string>> {
  const seen = new Set<string>();
  for (let count = 0; count < countMax && seen.size === 0; count++) {
    const body = { project_id: project, title: `filler ${count}`, description: 'x'.repeat(60_000) };
    const answer = await callWith(urls[0] ?? '', token)('POST', '/api/tickets', body);
    if (answer.status === 201)
      await callWith(urls[0] ?? '', token)('POST', `/api/tickets/${String(answer.body['id'])}/cancel`, {});
    else seen.add(`${answer.status} ${answer.headers.get('skep-fault')}`);
  }
  for (let look = 0; look < 10; look++) {
    await systemClock.sleep(200);
    const { status, headers } = await callWith(urls[0] ?? '', token)('POST', '/api/projects', {
      name: `full ${++projects}`,
    });
    if (status !== 201) seen.add(`${status} ${headers.get('skep-fault')}`);
  }
  return seen;
}
