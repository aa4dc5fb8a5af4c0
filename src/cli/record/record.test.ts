import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { environmentWith, readSettings, secretsOf } from '../../config.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-record-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** A real `skep record`, from the sources. */
function record(...words: string[]) {
  const program = resolve(import.meta.dirname, '../../../bin/skep');
  const env = { PATH: process.env['PATH'], SKEP_DEV: '1', SKEP_HOME: join(folder, 'home') };
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'record', ...words], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  return { code: status, out: stdout, err: stderr };
}

describe('skep record', () => {
  it('runs a command of skep as it was typed, and says when nothing was recorded', () => {
    expect(record('made', '--', '--version')).toEqual({
      code: 0,
      out: expect.stringMatching(/^\d+[.]\d+[.]\d+\n$/),
      err: expect.stringContaining('Nothing was recorded: the command asked no model, or used a server that runs already.'),
    });
    expect(existsSync(join(folder, 'made'))).toBe(false);
  });

  it('ends as the command does', () => {
    const { code, err } = record('made', '--', 'session', 'show', 'abcd', '--server', 'http://127.0.0.1:1');
    expect(code).toBe(6);
    expect(err).toContain('does not answer');
  });

  it('hands the folder to the server as a setting, whatever was set before', () => {
    const settings = readSettings({}, { ...environmentWith({ SKEP_RECORD_TO: folder }), SKEP_HOME: folder });
    expect(settings.SKEP_RECORD_TO).toBe(folder);
  });

  it('refuses what it cannot do', () => {
    expect(record('made')).toMatchObject({ code: 2, err: expect.stringContaining("missing required argument 'command'") });
    expect(record('made', '--', 'record', 'x', '--', 'build')).toMatchObject({
      code: 2,
      err: expect.stringContaining('cannot be recorded'),
    });
    writeFileSync(join(folder, 'file'), '');
    expect(record('file', '--', '--version')).toMatchObject({ code: 2, err: expect.stringContaining('is a file') });
  });
});

describe('the secrets of a process', () => {
  it('are the values of its keys, tokens and passwords', () => {
    const env = { ANTHROPIC_API_KEY: 'a', SKEP_TOKEN: 'b', DB_PASSWORD: 'c', DATABASE_URL: 'd', KEYBOARD: 'e', EMPTY_TOKEN: '' };
    expect(secretsOf(env)).toEqual(['a', 'b', 'c', 'd']);
  });
});
