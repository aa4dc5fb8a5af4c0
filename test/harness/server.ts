import type { Settings } from '../../src/config.ts';
import { readSettings } from '../../src/config.ts';
import { silentLog } from '../../src/kernel/log.ts';
import { type RunningServer, startServer } from '../../src/main.ts';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestDatabase, testDatabase } from './database.ts';
import { refuseOwnerless } from './ownerless.ts';

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly headers: Headers;
}

export type Call = (method: string, path: string, body?: unknown) => Promise<Answer>;

export interface TestApi extends TestDatabase {
  readonly url: string;
  readonly adminToken: string;
  readonly home: string;
  /** One request as the admin; an answer that is no JSON comes as `text`. */
  readonly call: Call;
  /** The same with another token. */
  callAs(token: string): Call;
  /** The server stops, and starts again at the same address, on the same database. */
  restart(): Promise<void>;
  /** Throws where a row is left that nothing will ever move. */
  stop(): Promise<void>;
}

/** The whole server in this process, on a free port and a database of its own. */
export async function testApi(settings: Partial<Record<keyof Settings, string>> = {}): Promise<TestApi> {
  const place = await testDatabase();
  const home = mkdtempSync(join(tmpdir(), 'skep-api-'));
  const start = (port: string): Promise<RunningServer> =>
    startServer(readSettings({ SKEP_HOME: home, DATABASE_URL: place.ownerUrl, SKEP_PORT: port, ...settings }, {}), silentLog);
  let server = await start('0');
  const adminToken = server.adminToken ?? '';
  return {
    ...place,
    url: server.url,
    adminToken,
    home,
    call: callWith(server.url, adminToken),
    callAs: token => callWith(server.url, token),
    async restart() {
      await server.stop();
      server = await start(new URL(server.url).port);
    },
    async stop() {
      try {
        await refuseOwnerless(place.superuserUrl);
      } finally {
        await server.stop();
        await place.close();
        rmSync(home, { recursive: true, force: true });
      }
    },
  };
}

/** Requests to a server with a token. */
export function callWith(url: string, token: string): Call {
  return (method, path, body) => call(`${url}${path}`, { method, body, token });
}

async function call(url: string, { method, body, token }: { method: string; body: unknown; token: string }): Promise<Answer> {
  const answer = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await answer.text();
  return { status: answer.status, headers: answer.headers, body: parse(text) };
}

function parse(text: string): Record<string, unknown> {
  if (text === '') return {};
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return { text };
  }
}
