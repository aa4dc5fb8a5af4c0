import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../test/harness/cli.ts';
import type { Answer, Call } from '../../../test/harness/cli.ts';

const at = '2026-01-02T03:04:05.000Z';
const sha = (letter: string) => letter.repeat(40);
const uuid = (start: string) => `${start}-2222-4333-8444-555555555555`;
const flags = [{ kind: 'tests', path: 'a.test.js', what: '`a.test.js` was modified\u001b[2J' }];
const change = (start: string, more: object = {}) => ({
  id: uuid(start),
  trunk_id: uuid('ffff0000'),
  ticket_id: 'TKT-003',
  title: 'Sort',
  state: 'open',
  approval: 'needed',
  head_sha: sha('a'),
  base_sha: sha('b'),
  merge_sha: null,
  review_id: uuid('eeee0000'),
  run_id: uuid('dddd0000'),
  flags,
  conflict_files: [],
  reason: null,
  created_at: at,
  queued_at: null,
  merged_at: null,
  ...more,
});
const waiting = change('aaaa1111');
const merged = change('bbbb1111', {
  ticket_id: 'TKT-004',
  state: 'merged',
  approval: 'not_needed',
  flags: [],
  merge_sha: sha('c'),
  merged_at: at,
});
const diff = '--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\u001b]52;c;aGk=\u0007\n';

function answer({ method, path, body }: Call): Answer {
  const { pathname, searchParams } = new URL(path, 'http://server');
  if (pathname === '/api/changes') {
    const ticket = searchParams.get('ticket_id');
    return { json: { changes: [waiting, merged].filter(({ ticket_id }) => ticket === null || ticket_id === ticket) } };
  }
  if (pathname.endsWith('/diff')) return { text: diff };
  if (method === 'POST' && pathname.endsWith('/approve')) {
    const isShown = (body as { head_sha: string }).head_sha === waiting.head_sha;
    return isShown
      ? { json: { ...waiting, state: 'queued', approval: 'given' } }
      : { status: 409, json: { error: 'another head' } };
  }
  if (method === 'POST') return { json: { ...waiting, state: 'closed' } };
  return { json: pathname.includes('bbbb1111') ? merged : waiting };
}

let server: Awaited<ReturnType<typeof scriptedServer>>;
beforeAll(async () => {
  server = await scriptedServer(answer);
});
beforeEach(() => void server.calls.splice(0));
afterAll(() => server.close());

const run = (words: readonly string[], around: Parameters<typeof skep>[1] = {}) =>
  skep(['change', ...words], { env: { SKEP_SERVER: server.url }, ...around });
const sent = () => server.calls.filter(({ method }) => method === 'POST').map(({ path, body }) => [path, body]);

describe('skep change list', () => {
  it('shows what waits for a person as such', async () => {
    const { out } = await run(['list']);
    expect(out).toContain('aaaa1111  TKT-003  waits for you  aaaaaaaaaaaa      1  Sort\n');
    expect(out).toContain('bbbb1111  TKT-004  merged         aaaaaaaaaaaa  -      Sort\n');
    expect((await run(['list', '--waiting', '--json'])).out).toBe(`${JSON.stringify(waiting)}\n`);
  });
});

describe('a change', () => {
  it.each([['3'], ['tkt-3'], ['TKT-003'], ['aaaa'], [uuid('aaaa1111')]])('is found by %s', async given => {
    const { out, code } = await run(['show', given]);
    expect(code).toBe(0);
    expect(out).toMatch(/^ticket +TKT-003 {2}Sort$/m);
    expect(out).toContain('next  skep change diff TKT-003; then: skep change approve TKT-003');
    expect(out).not.toContain('\u001b');
  });

  it('that is not there says where to look', async () => {
    const { code, err } = await run(['show', '7']);
    expect(code).toBe(3);
    expect(err).toContain('hint: See: skep review list --ticket TKT-007');
  });

  it('is printed as a diff byte for byte, and on a terminal in colours that are ours', async () => {
    expect((await run(['diff', '3'])).out).toBe(diff);
    const { out } = await run(['diff', '3'], { isTerminal: true, hasColour: true });
    expect(out).toContain('\u001b[32m+new\u001b[39m\n');
    expect(out).not.toContain('\u001b]52');
  });
});

describe('skep change approve', () => {
  it('shows the head and the flags, asks, and approves that head', async () => {
    const { code, questions, err } = await run(['approve', '3'], { isTerminal: true, answer: 'y' });
    expect(code).toBe(0);
    expect(questions).toEqual(['Merge aaaaaaaaaaaa? [y/N] ']);
    expect(err).toContain('`a.test.js` was modified');
    expect(sent()).toEqual([[`/api/changes/${waiting.id}/approve`, { head_sha: sha('a') }]]);
  });

  it.each(['', 'n', 'x'])('approves nothing after %j', async answer => {
    expect((await run(['approve', '3'], { isTerminal: true, answer })).code).toBe(2);
    expect(sent()).toEqual([]);
  });

  it('needs --yes where nobody can be asked', async () => {
    const { code, err } = await run(['approve', '3']);
    expect(code).toBe(2);
    expect(err).toContain('skep change diff TKT-003; then add --yes');
    expect((await run(['approve', '3', '--yes'])).code).toBe(0);
    expect(sent()).toHaveLength(1);
  });

  it('refuses what does not wait', async () => {
    const { code, err } = await run(['approve', '4', '--yes']);
    expect(code).toBe(4);
    expect(err).toContain('The change of TKT-004 is merged');
    expect(sent()).toEqual([]);
  });
});

describe('skep change reject', () => {
  it('sends the reason', async () => {
    expect((await run(['reject', '3', '--reason', 'Leave the tests'])).code).toBe(0);
    expect(sent()).toEqual([[`/api/changes/${waiting.id}/reject`, { reason: 'Leave the tests' }]]);
  });

  it('wants one', async () => {
    expect((await run(['reject', '3'])).err).toContain("required option '--reason <text>'");
    expect((await run(['reject', '3', '--reason', ' '])).err).toContain('The reason is empty');
    expect(server.calls).toEqual([]);
  });
});
