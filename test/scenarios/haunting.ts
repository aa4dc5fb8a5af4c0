import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'vitest';
import { allCompleted, allEvents, build, type Farm, heldTwice, leftAlone, startFarm, untiring } from '../harness/farm.ts';
import { processState, until } from '../harness/process.ts';
import { card } from '../harness/story.ts';

const zombies = 4;
const zombieNames = Array.from({ length: zombies }, (_, index) => `zombie-${index}`);

interface Haunted {
  readonly farm: Farm;
  readonly workerHomes: readonly string[];
}

/** So many times a worker is stopped just before it completes, past its lease, and goes on: none of what it says is believed. */
export async function haunting(rounds: number): Promise<Haunted> {
  const farm = await startFarm({ SKEP_LEASE_MS: '2000', SKEP_HEARTBEAT_MS: '500', ...untiring });
  const watch = await watchCompletions(farm.url);
  const features = Array.from({ length: zombies }, (_, index) => ({ title: `part ${index}` }));
  await build(farm, 'date > "$SKEP_TICKET_ID.txt"', card('zombies', features));

  await Promise.all(Array.from({ length: zombies }, (_, index) => haunt(farm, watch.url, { index, rounds })));
  expect(watch.statuses).toEqual(Array.from({ length: rounds }, () => 409));

  // None of it was believed, and all of it can still be done.
  const before = await allEvents(farm);
  expect(before.filter(event => event.type === 'run.submitted')).toEqual([]);
  expect(before.filter(event => event.type === 'run.lost').length).toBeGreaterThanOrEqual(rounds);
  farm.worker('honest', { slots: 2 });
  // What a dead worker has left in its home is removed by the next one there.
  for (const name of zombieNames) farm.worker(name);
  await until('all tickets completed', () => allCompleted(farm));
  const events = await allEvents(farm);
  expect(events.filter(event => event.type === 'run.submitted')).toHaveLength(zombies);
  expect(heldTwice(events)).toEqual([]);
  expect(await leftAlone(farm)).toEqual([]);
  await watch.close();
  return { farm, workerHomes: [...zombieNames, 'honest'].map(name => join(farm.home, 'workers', name)) };
}

/** A worker that freezes itself just before it completes, its share of the rounds; each time it is woken after its run was lost. */
async function haunt(farm: Farm, url: string, { index, rounds }: { index: number; rounds: number }): Promise<void> {
  const name = zombieNames[index] ?? '';
  const worker = farm.worker(name, { url, env: { SKEP_FAILPOINTS: 'before-complete:stop' } });
  for (let round = index; round < rounds; round += zombies) {
    await until(`${name} has frozen`, () => (processState(worker.pid) === 'T' ? true : undefined));
    const run = worker.lines.findLast(line => line['event'] === 'claimed')?.['run_id'];
    await until(`run ${String(run)} of ${name} is lost`, async () => {
      const { body } = await farm.call('GET', `/api/runs/${String(run)}`);
      return body['state'] === 'lost' ? true : undefined;
    });
    await worker.kill('SIGCONT');
    await worker.line(line => line['event'] === 'lost' && line['run_id'] === run);
  }
  await worker.kill('SIGKILL');
}

/** Stands between workers and the server and notes how each completion was answered: what the worker says of it is not asked. */
async function watchCompletions(target: string): Promise<{ url: string; statuses: number[]; close(): Promise<void> }> {
  const statuses: number[] = [];
  const proxy = createServer((incoming, outgoing) => {
    const onward = request(
      new URL(incoming.url ?? '/', target),
      { method: incoming.method, headers: incoming.headers },
      answer => {
        if (incoming.url === '/api/complete') statuses.push(answer.statusCode ?? 0);
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    statuses,
    close: () =>
      new Promise(resolve => {
        proxy.closeAllConnections();
        proxy.close(() => resolve());
      }),
  };
}
