import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import { systemClock } from '../../kernel/clock.ts';
import { processInfo } from '../../kernel/processes/info.ts';
import { keepNote, readNote } from './note.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'skep-note-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const url = 'http://127.0.0.1:4711';
const keep = (more: { url?: string; token?: string } = {}) =>
  keepNote(home, { url, worker: true, clock: systemClock, mintToken: async () => more.token ?? 'local', ...more });
const file = () => join(home, 'server.json');

describe('the note of a server', () => {
  it('says where it is to the owner of the home alone, and is taken back', async () => {
    const leave = await keep();
    expect(readNote(home)).toMatchObject({ url, pid: process.pid, token: 'local', worker: true });
    expect(statSync(file()).mode & 0o777).toBe(0o600);
    await leave();
    expect(readNote(home)).toBeUndefined();
  });

  it('is left alone when another server of the same home has written its own since', async () => {
    const leave = await keep();
    const leaveOther = await keep({ url: 'http://127.0.0.1:4712' });
    await leave();
    expect(readNote(home)?.url).toBe('http://127.0.0.1:4712');
    await leaveOther();
    expect(readNote(home)).toBeUndefined();
  });

  it('of a process that is dead, or whose number another one has now, counts for nothing', () => {
    const dead = Number(execFileSync('sh', ['-c', 'echo $$']).toString());
    const start = processInfo(process.pid)?.start ?? '';
    const write = (pid: number, at: string) =>
      writeFileSync(file(), JSON.stringify({ url, pid, start: at, token: 't', worker: true }));
    write(process.pid, start);
    expect(readNote(home)).toBeDefined();
    write(process.pid, `${start}1`);
    expect(readNote(home)).toBeUndefined();
    write(dead, start);
    expect(readNote(home)).toBeUndefined();
  });

  it.each(['', '{', '[]', '{"url":"file:///etc/passwd","pid":1,"start":"","token":"","worker":true}'])(
    'of %j counts for nothing',
    text => {
      writeFileSync(file(), text);
      expect(readNote(home)).toBeUndefined();
    },
  );
});

describe('a command without a server named', () => {
  it('goes to the one of the note, with its token; what was named goes before it', async () => {
    const noted = await scriptedServer(() => ({ json: { projects: [] } }));
    const named = await scriptedServer(() => ({ json: { projects: [] } }));
    const leave = await keep({ url: noted.url });
    const env = { SKEP_HOME: home };
    expect((await skep(['project', 'list'], { env })).code).toBe(0);
    await skep(['project', 'list'], { env: { ...env, SKEP_TOKEN: 'mine' } });
    await skep(['project', 'list', '--server', named.url], { env });
    expect(noted.calls.map(({ token }) => token)).toEqual(['local', 'mine']);
    expect(named.calls.map(({ token }) => token)).toEqual([undefined]);
    await leave();
    await Promise.all([noted.close(), named.close()]);
  });

  it('never shows the token of the note', async () => {
    const refusing = await scriptedServer(() => ({ status: 401, json: { error: 'The token is not valid' } }));
    const leave = await keep({ url: refusing.url, token: 'hush-hush' });
    const { code, out, err } = await skep(['project', 'list'], { env: { SKEP_HOME: home } });
    expect(code).toBe(5);
    expect(out + err).not.toContain('hush-hush');
    expect(readFileSync(file(), 'utf8')).toContain('hush-hush');
    await leave();
    await refusing.close();
  });
});
