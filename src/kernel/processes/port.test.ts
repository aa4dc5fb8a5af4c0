import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { whoListens } from './port.ts';
import { commandName, parsePs } from './info.ts';

test.each(['127.0.0.1', '0.0.0.0', '::'])(
  'names this process as the listener on %s, and nobody after it has closed',
  async host => {
    const server = createServer();
    const port = await new Promise<number>(resolve => {
      server.listen(0, host, () => resolve((server.address() as { port: number }).port));
    });
    expect(whoListens(port)).toMatchObject({ pid: process.pid, command: expect.stringMatching(/\w/) as string });
    await new Promise(resolve => server.close(resolve));
    expect(whoListens(port)).toBeUndefined();
  },
);

test('a command is named by program and script, without arguments that may hold secrets', () => {
  expect(commandName(['/usr/bin/node', '/srv/server.js', '--token=x'])).toBe('node /srv/server.js');
  expect(commandName(['/usr/bin/psql', 'postgres://u:secret@h/d'])).toBe('psql');
  expect(commandName(['postgres: checkpointer '])).toBe('postgres: checkpointer');
});

test('reads what ps prints where there is no /proc', () => {
  expect(parsePs(7, 'Ss   Sat Nov 21 09:11:22 2026     /usr/bin/postgres -D /d\n')).toEqual({
    pid: 7,
    start: 'Sat Nov 21 09:11:22 2026',
    zombie: false,
    argv: ['/usr/bin/postgres', '-D', '/d'],
  });
  expect(parsePs(7, 'Z    Sat Nov  1 09:11:22 2026     (postgres)')?.zombie).toBe(true);
  expect(parsePs(7, '')).toBeUndefined();
});
