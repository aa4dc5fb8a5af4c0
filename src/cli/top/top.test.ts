import { afterEach, describe, expect, test } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import type { Answer } from '../../../test/harness/cli.ts';

const document = (due: number) => ({
  at: '2026-01-02T03:04:05.000Z',
  queue: { due, later: 0, aged: 0, oldest_ms: null, held_back: [], waiting: 0, questions: 0 },
  ...{ runs: [], retries: [], workers: [], servers: [], breakers: [] },
  brake: { state: 'off', reason: '', pulled_by: '', pulled_at: null, due_at: null, pulls: 0 },
});

let server: Awaited<ReturnType<typeof scriptedServer>> | undefined;
afterEach(() => server?.close());

/** One look after the other is answered so; the last answer stays. */
async function answering(...answers: Answer[]) {
  let looks = 0;
  server = await scriptedServer(() => answers[Math.min(looks++, answers.length - 1)] ?? {});
  return { SKEP_SERVER: server.url };
}

const away: Answer = { status: 503, fault: 'shutting_down', json: { error: 'The server is shutting down' } };
const seen = (due: number): Answer => ({ json: document(due) });

describe('skep top', () => {
  test('is one picture where stdout is no terminal, and with --once', async () => {
    const env = await answering(seen(3));
    const picture = `skep top  ${env.SKEP_SERVER}  03:04:05Z\nqueue     3 due, 0 later\nruns      none is held\nworkers   none has said that it is there\n`;
    expect(await skep(['top'], { env })).toMatchObject({ code: 0, out: picture, err: '' });
    const around = { env, isTerminal: true, size: () => ({ columns: 200, rows: 3 }) };
    expect(await skep(['top', '--once'], around)).toMatchObject({ code: 0, out: picture });
    expect(server?.calls.map(({ path }) => path)).toEqual(['/api/top', '/api/top']);
  });

  test('is one document with --json', async () => {
    const { out } = await skep(['top', '--json'], { env: await answering(seen(3)) });
    expect(JSON.parse(out)).toEqual(document(3));
  });

  test('is a document each second with --json --follow, and says once that the server is away', async () => {
    const env = await answering(seen(1), away, away, seen(2), { status: 403, fault: 'forbidden', json: { error: 'no more' } });
    const ended = await skep(['top', '--json', '--follow'], { env });
    expect(ended.code).toBe(5);
    expect(
      ended.out
        .trimEnd()
        .split('\n')
        .map(line => (JSON.parse(line) as { queue: { due: number } }).queue.due),
    ).toEqual([1, 2]);
    expect(
      ended.err
        .trimEnd()
        .split('\n')
        .map(line => (JSON.parse(line) as { code: string }).code),
    ).toEqual(['shutting_down', 'forbidden']);
  });

  test('refuses what contradicts itself, and a server that does not answer at first', async () => {
    expect(await skep(['top', '--follow'])).toMatchObject({ code: 2, err: expect.stringContaining('--follow goes with --json') });
    expect(await skep(['top', '--follow', '--once', '--json'])).toMatchObject({ code: 2 });
    expect(await skep(['top'], { env: await answering(away) })).toMatchObject({ code: 6 });
    expect(await skep(['top'], { env: { SKEP_SERVER: 'http://127.0.0.1:1' } })).toMatchObject({ code: 6 });
  });
});

describe('on a terminal', () => {
  const size = () => ({ columns: 60, rows: 8 });
  const enter = '\u001b[?1049h\u001b[?25l';
  const leave = '\u001b[?25h\u001b[?1049l';

  /** Runs it live until `isSeen` is true of all that was written, and then presses the key. */
  function live(env: Readonly<Record<string, string>>, key: string, isSeen: (all: string) => boolean) {
    let press = (_key: string): void => {};
    return skep(['top'], {
      env,
      isTerminal: true,
      size,
      onKeys: presses => {
        press = presses;
      },
      onOut: all => {
        if (isSeen(all)) press(key);
      },
    });
  }

  test('it is drawn again and again in a screen of its own, until q', async () => {
    const { code, out } = await live(await answering(seen(1), seen(2), seen(3)), 'q', all => all.includes('3 due'));
    expect(code).toBe(0);
    expect(out.startsWith(enter)).toBe(true);
    expect(out.endsWith(leave)).toBe(true);
    expect(out.split(leave)).toHaveLength(2);
    for (const due of [1, 2, 3]) expect(out).toContain(`${due} due`);
  });

  test('Ctrl-C ends it too, and so does a signal; the terminal comes back', async () => {
    const env = await answering(seen(1));
    expect(await live(env, '\u0003', all => all.includes('1 due'))).toMatchObject({
      code: 130,
      out: expect.stringMatching(/\[\?1049l$/),
    });
    const asked = await skep(['top'], { env, isTerminal: true, size, stopRequested: () => Promise.resolve('SIGTERM') });
    expect(asked).toMatchObject({ code: 130, err: '', out: expect.stringMatching(/\[\?1049l$/) });
  });

  test('a server that goes away is said, and looked for until it is back', async () => {
    const env = await answering(seen(1), away, away, away, seen(2));
    const { code, out } = await live(env, 'q', all => all.includes('2 due'));
    expect(code).toBe(0);
    expect(out).toMatch(/no answer for 0:0[23], trying again; as of 03:04:05Z/);
  });

  test('what will not pass ends it, with the terminal as it was', async () => {
    const env = await answering(seen(1), { status: 403, fault: 'forbidden', json: { error: 'This token may not do that' } });
    const { code, out, err } = await live(env, 'x', () => true);
    expect(code).toBe(5);
    expect(out.endsWith(leave)).toBe(true);
    expect(err).toContain('This token may not do that');
  });
});
