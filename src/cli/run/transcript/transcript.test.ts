import { afterEach, describe, expect, it } from 'vitest';
import type { KeptTranscriptEvent, TranscriptEvent } from '../../../../contract/talk/transcript.ts';
import { scriptedServer, skep } from '../../../../test/harness/cli.ts';
import type { Answer } from '../../../../test/harness/cli.ts';
import type { Output } from '../../context.ts';
import { width } from '../../output/text.ts';
import { pauseMsMax, played } from './events.ts';
import { createView } from './view.ts';

const id = 'eeee1111-2222-4333-8444-555555555555';
const time = (second: number) => new Date(Date.parse('2026-01-02T03:04:00.000Z') + second * 1_000).toISOString();

function kept(...events: readonly TranscriptEvent[]): KeptTranscriptEvent[] {
  return events.map((event, index) => ({ seq: index + 1, ...event }));
}

const at = time(5);
const says = (text: string, when = at): TranscriptEvent => ({ type: 'message', at: when, text });
const call = (title: string, input: string, kind: 'execute' | 'edit' | 'other' = 'execute'): TranscriptEvent => ({
  ...{ type: 'tool_call', at, call: 'c1', kind, title, input },
});
const result = (output: string, status: 'completed' | 'failed' = 'completed'): TranscriptEvent => ({
  ...{ type: 'tool_result', at, call: 'c1', status, output },
});

function text(events: readonly TranscriptEvent[], out: Partial<Output> = {}): string {
  const view = createView({ write: () => {}, isTerminal: false, hasColour: false, ...out });
  return kept(...events)
    .map(view)
    .join('');
}

describe('a transcript, for people', () => {
  it('is what happened, one thing under the other', () => {
    const input = JSON.stringify({ file_path: 'src/a.js', content: 'one\ntwo\n', all: true });
    expect(
      text([
        { type: 'thought', at, text: 'Is it so?' },
        says('I write it.\n\nAt once.\n'),
        call('npm test', '{"command":"npm test"}'),
        result('1 failed\n', 'failed'),
        call('write src/a.js', input, 'edit'),
        { type: 'file_change', at, path: 'src/a.js', change: 'added', call: 'c1' },
        result(''),
        { type: 'usage', at, input_tokens: 400, output_tokens: 40 },
        { type: 'cut', at, text: 'The rest was not kept' },
      ]),
    ).toBe(
      [
        '03:04:05Z  thought',
        '  Is it so?',
        '03:04:05Z  message',
        '  I write it.',
        '',
        '  At once.',
        '03:04:05Z  execute  npm test',
        '03:04:05Z  failed  npm test',
        '  1 failed',
        '03:04:05Z  edit  write src/a.js',
        '  content:',
        '    one',
        '    two',
        '  all: true',
        '03:04:05Z  added  src/a.js',
        '03:04:05Z  completed  write src/a.js',
        '03:04:05Z  usage  400 tokens in, 40 out, as the agent counts',
        '03:04:05Z  cut  The rest was not kept',
        '',
      ].join('\n'),
    );
  });

  it('leaves out of what a tool was given only what the title says as such', () => {
    const input = JSON.stringify({ file_path: 'src/app.js', old_string: 'a', new_string: 'app', count: 2 });
    const shown = text([call('edit src/app.js', input, 'edit')]);
    for (const line of ['  old_string: a\n', '  new_string: app\n', '  count: 2\n']) expect(shown).toContain(line);
    expect(shown).not.toContain('file_path');
  });

  it('shows what was cut as it is, and of much the beginning', () => {
    expect(text([call('ask', '{"question":"so… [9 more characters were not kept]', 'other')])).toBe(
      '03:04:05Z  call  ask\n  {"question":"so… [9 more characters were not kept]\n',
    );
    const long = text([result(Array.from({ length: 50 }, (_, i) => `line ${i}`).join('\n'))]).split('\n');
    expect(long.slice(-3)).toEqual(['  line 39', '  … 10 more lines; --json shows all that was kept', '']);
  });

  it('cannot steer a terminal, whoever wrote what', () => {
    const evil = 'a\u001b]52;c;eA\u0007b\u001b[2J\u001b[31mc\u009bd\u202ee\rf\tg';
    const shown = text([
      says(evil),
      { type: 'thought', at, text: evil },
      call(evil, JSON.stringify({ [evil]: evil })),
      result(evil),
      { type: 'file_change', at, path: evil, change: 'deleted', call: null },
      { type: 'cut', at, text: evil },
    ]);
    expect(shown).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
    expect(text([says(evil)])).toBe('03:04:05Z  message\n  abcd e\n  f    g\n');
  });

  it('fits a narrow terminal, and has colours there alone', () => {
    const events = [says('wort '.repeat(30)), call('漢字'.repeat(30), ''), result('x'.repeat(100))];
    for (const columns of [1, 20, 31, 80]) {
      const lines = text(events, { isTerminal: true, size: () => ({ columns, rows: 5 }) }).split('\n');
      expect(Math.max(...lines.map(width))).toBeLessThanOrEqual(Math.max(20, columns));
      expect(lines.join('').replaceAll(/\s/g, '')).toContain('x'.repeat(10));
    }
    expect(text([says('hi')], { isTerminal: true, hasColour: true })).toContain('\u001b[1m');
    expect(text([says('hi')])).not.toContain('\u001b');
  });
});

describe('a transcript that is played', () => {
  async function pauses(events: readonly KeptTranscriptEvent[], speed: number): Promise<number[]> {
    const slept: number[] = [];
    const clock = { now: () => 0, mono: () => 0, sleep: async (ms: number) => void slept.push(ms) };
    const pages = (async function* () {
      yield events.slice(0, 2);
      yield events.slice(2);
    })();
    const shown: KeptTranscriptEvent[] = [];
    for await (const page of played(pages, { clock, speed })) shown.push(...page);
    expect(shown).toEqual(events);
    return slept;
  }

  it('has the pauses that were between its events, also between pages, none longer than a bound and none into the past', async () => {
    const events = kept(says('a', time(0)), says('b', time(1)), says('c', time(1.5)), says('d', time(600)), says('e', time(1)));
    expect(await pauses(events, 1)).toEqual([1_000, 500, pauseMsMax]);
    expect(await pauses(events, 4)).toEqual([250, 125, pauseMsMax / 4]);
  });
});

let server: Awaited<ReturnType<typeof scriptedServer>>;
afterEach(() => server?.close());

const events = kept(says('one'), call('npm test', ''), says('three'));
const run = (more: object = {}) => ({
  ...{ id, subject_type: 'ticket', subject_id: 'TKT-001', ticket_id: 'TKT-001', project_id: null, attempt: 1, state: 'accepted' },
  ...{ worker: 'w', fence: 1, lease_expires_at: null, health: 'ok', phase: null, failure_class: null, failure_message: null },
  ...{ result: null, created_at: at, leased_at: at, started_at: at, ended_at: at, due_at: at, aged_at: null, continues: null },
  ...more,
});

/** `pages`: the answers about the transcript, one after the other. */
async function serve(pages: readonly Answer[], shown: object = {}): Promise<void> {
  let asked = 0;
  server = await scriptedServer(({ path }) => {
    if (path.includes('/transcript')) return pages[asked++] ?? { status: 500, json: { error: 'asked once more' } };
    if (path.includes('/artifacts')) return { json: { artifacts: [] } };
    if (path.startsWith('/api/events')) return { json: { events: [], next: 'e0' } };
    return path.startsWith('/api/runs?') ? { json: { runs: [run()], next: null } } : { json: run(shown) };
  });
}
const page = (some: readonly KeptTranscriptEvent[], next: string, more = false): Answer => ({
  json: { events: some, next, more },
});
const transcript = (...words: string[]) => skep(['run', 'transcript', ...words], { env: { SKEP_SERVER: server.url } });
const asked = () => server.calls.map(({ path }) => path).filter(path => path.includes('/transcript'));

describe('skep run transcript', () => {
  it('prints all there is and ends, though the run goes on; with --json a line for each event', async () => {
    await serve([page(events, 'p1', true)]);
    const { code, out, err } = await transcript('eeee');
    expect([code, out.split('\n').length, err]).toEqual([0, 6, '']);
    await server.close();
    await serve([page(events, 'p1', true)]);
    const { out: json } = await transcript(id, '--json');
    expect(
      json
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line) as unknown),
    ).toEqual(events);
  });

  it('asks for types and words, page after page', async () => {
    const full = Array.from({ length: 200 }, (_, i) => ({ ...says('x'), seq: i + 1 }));
    await serve([page(full, 'p1'), page(events, 'p2')]);
    const { out } = await transcript(id, '--type', 'message, tool_call', '--search', '100%', '--json');
    expect(out.trimEnd().split('\n')).toHaveLength(203);
    const query = 'limit=200&type=message%2Ctool_call&q=100%25';
    expect(asked().map(path => path.split('?')[1])).toEqual([query, `after=p1&${query}`]);
  });

  it('follows until nothing more can come, over a server that is away, and prints nothing twice', async () => {
    await serve([
      page(events.slice(0, 1), 'p1', true),
      { status: 503, fault: 'server_unavailable', json: { error: 'The server is away' } },
      page([], 'p1', true),
      page(events.slice(1), 'p3', false),
    ]);
    const { code, out, err } = await transcript(id, '--follow', '--json');
    expect([code, out.trimEnd().split('\n').length]).toEqual([0, 3]);
    expect(err).toBe('');
    expect(asked().map(path => new URL(path, 'http://x').searchParams.get('after'))).toEqual([null, 'p1', 'p1', 'p1']);
  });

  it.each([
    [{}, 'skep run log eeee1111'],
    [{ state: 'working', lease_expires_at: at, ended_at: null }, '--follow'],
    [{ transcript_events: 7 }, 'No event of this run is like that.'],
  ])('says why there is nothing: %j', async (shown, words) => {
    await serve([page([], 'p0')], shown);
    const { code, out, err } = await transcript(id, '--type', 'usage');
    expect([code, out, err]).toEqual([0, '', expect.stringContaining(words)]);
  });

  it('without a run looks through all, page after page, and names the run above what it found', async () => {
    const found = (run_id: string, event: KeptTranscriptEvent) => ({ run_id, ticket_id: 'TKT-001', attempt: 2, event });
    const [one, , three] = events as [KeptTranscriptEvent, KeptTranscriptEvent, KeptTranscriptEvent];
    const pages = [
      { json: { found: [found(id, one)], runs_searched: 20, next: 'c1' } },
      { json: { found: [found(id, three)], runs_searched: 3, next: null } },
    ];
    await serve(pages);
    const { code, out } = await transcript('--search', 'e', '--ticket', '1', '--type', 'message');
    expect([code, out]).toEqual([
      0,
      `run ${id.slice(0, 8)}  TKT-001 attempt 2\n03:04:05Z  message\n  one\n03:04:05Z  message\n  three\n`,
    ]);
    const query = 'q=e&type=message&ticket_id=TKT-001';
    expect(asked().map(path => path.split('?')[1])).toEqual([`${query}&limit=200`, `${query}&after=c1&limit=200`]);
    await server.close();
    await serve([{ json: { found: [], runs_searched: 7, next: null } }]);
    expect(await transcript('--search', 'e')).toMatchObject({
      code: 0,
      out: '',
      err: 'Nothing like that was found in 7 runs.\n',
    });
  });

  it.each([
    [['--ticket', '1'], '--ticket and --project are for a search over many runs'],
    [['--type', 'dance'], "'dance' is no type of event"],
    [['--type', ''], "'' is no type of event"],
    [['--search', ''], '--search takes 1 to 200 characters'],
    [['--follow', '--replay'], '--follow and --replay exclude each other'],
    [['--speed', '2'], '--speed goes with --replay'],
    [['--replay', '--speed', '0'], "'0' is not a whole number"],
  ])('refuses %j', async (words, message) => {
    await serve([]);
    const { code, err } = await transcript(id, ...words);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });

  it('says that there is no such run', async () => {
    await serve([{ status: 404, fault: 'run_not_found', json: { error: 'Run not found' } }]);
    expect(await transcript(id)).toMatchObject({ code: 3, err: expect.stringContaining('Run not found') });
    expect(await transcript('ffff')).toMatchObject({ code: 3 });
  });
});

it('skep run show says how many events there are, and how to see them', async () => {
  await serve([], { transcript_events: 7 });
  const { out } = await skep(['run', 'show', id], { env: { SKEP_SERVER: server.url } });
  expect(out).toMatch(/^transcript +7 events: skep run transcript eeee1111$/m);
});
