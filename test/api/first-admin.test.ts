import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { readSettings } from '../../src/config.ts';
import { type Log, silentLog } from '../../src/kernel/log.ts';
import { startServer } from '../../src/main.ts';
import { bootstrapAccess } from '../../src/support/access/index.ts';
import { query, testDatabase } from '../harness/database.ts';
import { endAll, tempFolder } from '../harness/process.ts';
import { ask } from '../harness/raw.ts';
import { callWith, type TestApi, testApi } from '../harness/server.ts';

let api: TestApi;
beforeAll(async () => {
  api = await testApi();
});
afterAll(async () => {
  await api.stop();
  await endAll();
});

describe('the first admin token', () => {
  test('two servers that start at once on one empty database: exactly one shows it, and no start later does', async () => {
    const { superuserUrl, ownerUrl, names } = inject('postgres');
    const name = `race_${process.pid}`;
    await query(superuserUrl, `create database ${name} owner "${names.owner}"`);
    const databaseUrl = new URL(ownerUrl);
    databaseUrl.pathname = `/${name}`;
    const start = () =>
      startServer(readSettings({ SKEP_HOME: tempFolder(), DATABASE_URL: databaseUrl.href, SKEP_PORT: '0' }, {}), silentLog);
    const servers = await Promise.all([start(), start()]);
    const shown = servers.map(({ adminToken }) => adminToken).filter(token => token !== undefined);
    expect(shown).toHaveLength(1);
    for (const { url } of servers)
      expect((await callWith(url, shown[0] ?? '')('GET', '/api/tokens')).body['tokens']).toHaveLength(1);
    await Promise.all(servers.map(server => server.stop()));
    const later = await start();
    expect(later.adminToken).toBeUndefined();
    await later.stop();
    await query(superuserUrl, `drop database ${name} with (force)`);
  });

  test('fifty that ask at once: one is given it', async () => {
    const place = await testDatabase();
    const asked = await Promise.all(Array.from({ length: 50 }, () => bootstrapAccess(place.database)));
    expect(asked.filter(({ adminToken }) => adminToken !== undefined)).toHaveLength(1);
    expect(new Set(asked.map(({ tenantId }) => tenantId)).size).toBe(1);
    await place.close();
  });

  test('no secret is in the database or in the log, in whatever form', async () => {
    const lines: string[] = [];
    const keep = (facts: object, message: string) => void lines.push(JSON.stringify(facts) + message);
    const log: Log = { debug: keep, info: keep, warn: keep, error: keep, child: () => log };
    const home = tempFolder();
    const server = await startServer(readSettings({ SKEP_HOME: home, DATABASE_URL: api.ownerUrl, SKEP_PORT: '0' }, {}), log);
    const call = callWith(server.url, api.adminToken);
    const made = String((await call('POST', '/api/tokens', { name: 'x', role: 'member' })).body['secret']);
    const worker = await server.mintWorkerToken();
    const secrets = [api.adminToken, made, worker];
    for (const secret of secrets) {
      await callWith(server.url, secret)('GET', `/api/hitl?token=${secret}`);
      await callWith(server.url, secret)('POST', '/api/hitl', '{"broken');
      await callWith(server.url, secret)('POST', `/api/${secret}`, {});
      await ask(server.url, { path: '/api/projects', headers: { authorization: `Bearer ${secret}x` } });
    }
    await server.stop();
    const forms = secrets.flatMap(secret => [
      secret,
      secret.slice(5),
      Buffer.from(secret).toString('hex'),
      Buffer.from(secret).toString('base64').replace(/=+$/, ''),
      Buffer.from(secret.slice(5), 'base64url').toString('hex'),
    ]);
    const tables = await query<{ name: string }>(
      api.superuserUrl,
      `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
        where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
    );
    expect(tables.length).toBeGreaterThan(10);
    let seen = 0;
    for (const { name } of tables) {
      const rows = await query<{ row: string }>(api.superuserUrl, `select t::text as row from ${name} as t`);
      seen += rows.length;
      for (const form of forms) expect([name, rows.filter(({ row }) => row.includes(form))]).toEqual([name, []]);
    }
    expect(seen).toBeGreaterThan(20);
    for (const form of forms) expect(lines.filter(line => line.includes(form))).toEqual([]);
  });
});
