import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/harness/worker.ts';
import { createClient } from '../../client/index.ts';
import { systemClock } from '../../kernel/clock.ts';
import { silentLog } from '../../kernel/log.ts';
import { createNotes, nameOf } from './notes.ts';
import type { Note } from './notes.ts';
import { createOutbox } from './outbox.ts';
import type { Outbox } from './outbox.ts';

const never = new AbortController().signal;
const clock = systemClock;
let asked: string[];
/** What is answered to an upload of work. */
let answer: { status: number; fault: string } | undefined;
let url: string;
let folder: string;
let outbox: Outbox;

const server = createServer((request, response) => {
  const path = (request.url ?? '').replace(/[0-9a-f]{8}-[0-9a-f-]{27}/, 'ID');
  request.resume().once('end', () => {
    asked.push(`${request.method} ${path}`);
    const isWork = path.endsWith('/rescue?fence=7');
    if (isWork && answer !== undefined) {
      response.writeHead(answer.status, { 'content-type': 'application/json', 'skep-fault': answer.fault });
      return response.end('{"error":"refused"}');
    }
    if (request.method === 'PUT') {
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ blob: 'a'.repeat(64), size: 1 }));
    }
    response.writeHead(409, { 'content-type': 'application/json', 'skep-fault': 'wrong_state' });
    return response.end('{"error":"It is over"}');
  });
});

beforeEach(async () => {
  asked = [];
  answer = undefined;
  folder = temporaryFolder();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  outbox = createOutbox({ folder: join(folder, 'rescued'), client: createClient({ server: url, clock }), clock, log: silentLog });
});
afterEach(async () => {
  server.closeAllConnections();
  if (server.listening) await new Promise(resolve => server.close(resolve));
});

/** A run that is to be told of, with what was rescued of it. */
function add(kinds: readonly ('bundle' | 'conversation')[], of = url, runId: string = randomUUID()): Note {
  const note: Note = { runId, fence: 7, server: of };
  for (const kind of kinds) writeFileSync(outbox.filesOf(note)[kind], 'x');
  outbox.add(createNotes(join(folder, 'notes')).write(note));
  return note;
}

const left = () => readdirSync(join(folder, 'rescued')).sort();

it('sends the conversation, then the work, then says that nobody holds the run, and forgets it', async () => {
  add(['bundle', 'conversation']);
  expect(await outbox.tell(never)).toBe(true);
  const upload = 'PUT /api/runs/ID/rescue?fence=7';
  expect(asked).toEqual([`${upload}&artifact=conversation`, upload, 'POST /api/runs/ID/bury']);
  expect(left()).toEqual([]);
});

it('keeps all while the server is away, and says so', async () => {
  const note = add(['bundle']);
  server.closeAllConnections();
  await new Promise(resolve => server.close(resolve));
  expect(await outbox.tell(never)).toBe(false);
  expect(left()).toEqual([`${nameOf(note)}.bundle`, `${nameOf(note)}.json`]);
});

it('keeps work that the server refuses, and buries the run', async () => {
  const note = add(['bundle']);
  answer = { status: 413, fault: 'too_large' };
  expect(await outbox.tell(never)).toBe(true);
  expect(asked.at(-1)).toBe('POST /api/runs/ID/bury');
  expect(left()).toEqual([`${nameOf(note)}.bundle`]);
});

it('keeps what this server does not know for another worker, and does not ask at once again', async () => {
  const note = add(['bundle']);
  answer = { status: 404, fault: 'run_not_found' };
  for (let i = 0; i < 3; i += 1) expect(await outbox.tell(never)).toBe(true);
  expect(asked).toEqual(['PUT /api/runs/ID/rescue?fence=7']);
  expect(left()).toEqual([`${nameOf(note)}.bundle`, `${nameOf(note)}.json`]);
});

it('tells of a run behind a hundred that the server does not know', async () => {
  for (let i = 0; i < 100; i += 1) add(['bundle']);
  answer = { status: 404, fault: 'run_not_found' };
  await outbox.tell(never);
  add([], url, 'ffffffff-ffff-4fff-bfff-ffffffffffff');
  await outbox.tell(never);
  expect(asked.filter(each => each.startsWith('POST'))).toEqual(['POST /api/runs/ID/bury']);
});

it('sends work also where somebody has told of the run before it was rescued', async () => {
  const note: Note = { runId: randomUUID(), fence: 7, server: url };
  const left = createNotes(join(folder, 'notes')).write(note);
  outbox.add(left);
  await outbox.tell(never);
  writeFileSync(outbox.filesOf(note).bundle, 'x');
  outbox.add(left);
  await outbox.tell(never);
  expect(asked.filter(each => each.startsWith('PUT'))).toEqual(['PUT /api/runs/ID/rescue?fence=7']);
  expect(readdirSync(join(folder, 'rescued'))).toEqual([]);
});

it('tells no other server than that of the run; one of this machine may have moved', async () => {
  const other = add(['bundle'], 'https://skep.example.org');
  add([], 'http://localhost:1');
  expect(await outbox.tell(never)).toBe(true);
  expect(asked).toEqual(['POST /api/runs/ID/bury']);
  expect(existsSync(outbox.filesOf(other).bundle)).toBe(true);
});
