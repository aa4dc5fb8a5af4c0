import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { freePort } from '../../src/db/embedded/place/port.ts';
import { query, withDatabase } from '../harness/database.ts';
import { refuseOwnerless } from '../harness/ownerless.ts';
import { refuseDrift } from '../replay/drift.ts';
import { buildSkep } from '../harness/process.ts';

const guide = readFileSync(new URL('../../docs/guides/many-machines.md', import.meta.url), 'utf8');
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\`$`, 'gms'))].map(match => match[1] ?? '');

const { superuserUrl } = inject('postgres');
const folder = mkdtempSync(join(tmpdir(), 'skep-guide-'));
beforeAll(buildSkep);
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await query(superuserUrl, 'drop database if exists skep_many with (force)');
  for (const role of ['skep_many_app', 'skep_many_engine', 'skep_many']) await query(superuserUrl, `drop role if exists ${role}`);
});

test('the commands of the guide take a story over two servers and two workers, one of each dying on the way', async () => {
  const statements = blocks('sql')
    .join('\n')
    .split(';')
    .filter(statement => statement.trim() !== '');
  expect(statements).toHaveLength(2);
  for (const statement of statements) await query(superuserUrl, statement);
  const database = new URL(withDatabase(superuserUrl, 'skep_many'));
  database.username = 'skep_many';
  database.password = 'choose one';
  symlinkSync(join(import.meta.dirname, '../../bin/skep'), join(folder, 'skep'));

  const commands = blocks('sh');
  expect(commands.length).toBeGreaterThanOrEqual(9);
  // What is left when a command fails is ended with the script.
  const script = ['set -euo pipefail', `trap 'kill -KILL $(jobs -p) 2> /dev/null || true' EXIT`, ...commands].join('\n');
  const env = {
    PATH: `${folder}:${process.env['PATH']}`,
    HOME: folder,
    DATABASE_URL: database.href,
    PORT_ONE: String(await freePort()),
    PORT_TWO: String(await freePort()),
  };
  const { exitCode, all } = await execa('bash', ['-c', script], {
    env,
    extendEnv: false,
    all: true,
    reject: false,
    timeout: 300_000,
    forceKillAfterDelay: 1_000,
  });
  expect([exitCode, all]).toEqual([0, expect.stringMatching(/big +left/)]);
  await refuseOwnerless(withDatabase(superuserUrl, 'skep_many'));
  await refuseDrift(withDatabase(superuserUrl, 'skep_many'));
}, 320_000);
