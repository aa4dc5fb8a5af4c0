import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stopEmbedded } from '../../src/db/embedded/index.ts';
import { removeTree } from '../harness/disks.ts';
import { spokenLines } from '../harness/json-lines.ts';
import type { JsonLine as Line } from '../harness/json-lines.ts';
import { buildSkep } from '../harness/process.ts';

/** From an idea to merged work, with a recorded planner and agents that are a command: the path of the demo in a small shape. */
const folder = mkdtempSync(join(tmpdir(), 'skep-idea-'));
const home = join(folder, 'home');
const recording = join(folder, 'recording.json');
const program = join(import.meta.dirname, '../../bin/skep');
const timeout = 120_000;
const children: ChildProcess[] = [];

const question = { id: 'Q1', text: 'Which colour?', options: ['red', 'green'], default: 'red' };
const requirements = {
  name: 'Colours',
  summary: 'Two files.',
  requirements: [{ id: 'R1', statement: 'THE SYSTEM SHALL hold two files.', criteria: ['Both are there'] }],
  technical_requirements: [],
};
const design = {
  overview: 'Files.',
  components: [{ name: 'Files', responsibility: 'Holding', files: [] }],
  decisions: [],
  risks: [],
};
const task = (id: string, title: string, needs: readonly string[] = []) => ({
  ...{
    id,
    title,
    description: '',
    requirements: ['R1'],
    acceptance_criteria: ['It is there'],
    depends_on: needs,
    files: [],
    estimate: 1,
  },
});
const scene = (phase: string, ...steps: readonly object[]) => ({ match: { subject: 'spec_phase', phase }, steps });

/** What the model says; of the design only what the test wants. */
function record(designs: object): void {
  const scenes = [
    scene(
      'CLARIFY',
      { expect: question.text, object: { understanding: '', questions: [] } },
      { object: { understanding: '', questions: [question] } },
    ),
    scene('REQUIREMENTS', { object: requirements }),
    scene('DESIGN', designs),
    scene('TASKS', { object: { tasks: [task('T1', 'One'), task('T2', 'Two', ['T1'])] } }),
  ];
  writeFileSync(recording, JSON.stringify({ format: 1, name: 'colours', priced_as: 'openai/gpt-5-codex', scenes }));
}

function build(words: readonly string[]) {
  const env = { PATH: process.env['PATH'], SKEP_HOME: home, SKEP_RECORDING: recording, SKEP_RETRY_MS: '0' };
  const child = spawn(process.execPath, [program, 'build', '--json', ...words], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const { lines, ended: over, line } = spokenLines(child);
  const ended = over.then(({ code, err }) => ({ code, err, lines, summary: lines.find(({ event }) => event === 'summary') }));
  return { child, ended, line };
}

function repository(name: string): string {
  const path = join(folder, name);
  execFileSync('git', ['init', '--quiet', '--initial-branch', 'main', path]);
  writeFileSync(join(path, 'README.md'), 'hello\n');
  const git = ['-C', path, '-c', 'user.name=a', '-c', 'user.email=a@example.invalid'];
  execFileSync('git', [...git, 'add', '--all']);
  execFileSync('git', [...git, 'commit', '--quiet', '--message', 'Begin']);
  return path;
}

const given = (repo: string) => [
  ...['--repo', repo, '--idea', 'Two colours', '--planner', 'recorded/demo'],
  ...['--check', 'true', '--command', 'echo x > "$SKEP_TICKET_ID.txt"', '--yes'],
];
const events = (lines: readonly Line[]) => [...new Set(lines.map(({ event }) => event))];

beforeAll(() => {
  buildSkep();
  mkdirSync(home);
}, timeout);
afterAll(async () => {
  for (const child of children) if (child.exitCode === null) child.kill('SIGKILL');
  await stopEmbedded(home);
  removeTree(folder);
});

describe('skep build --idea', () => {
  it(
    'plans, builds and merges, and counts what the model was asked',
    async () => {
      record({ object: design });
      const repo = repository('first');
      const { code, err, lines, summary } = await build(given(repo)).ended;
      expect([code, err]).toEqual([0, '']);
      expect(events(lines)).toEqual(
        expect.arrayContaining(['planning', 'questions', 'answers', 'spec', 'plan', 'approval', 'base', 'ticket', 'summary']),
      );
      expect(lines.find(({ event }) => event === 'answers')).toMatchObject({
        answers: [{ id: 'Q1', answer: 'red', by: 'default' }],
      });
      expect(summary).toMatchObject({ state: 'completed', name: 'Colours', branch: 'skep/colours', commits: 2, proof: 'proven' });
      // Two rounds of questions and three phases, and not one more.
      expect(summary).toMatchObject({
        recorded: true,
        costs: { calls: 0 },
        recorded_costs: { calls: 5, note: 'recorded demo: nothing was paid' },
      });
      expect(execFileSync('git', ['-C', repo, 'ls-tree', '--name-only', 'skep/colours']).toString()).toContain('TKT-001.txt');
      expect(existsSync(join(home, 'server.json'))).toBe(false);
    },
    timeout,
  );

  it(
    'stops where the model does, goes on from that phase with --resume, and from before an approval too',
    async () => {
      const repo = repository('second');
      record({ expect: 'what nobody has said', object: design });
      const stopped = await build(given(repo)).ended;
      expect(stopped.code).toBe(1);
      expect(JSON.parse(stopped.err)).toMatchObject({
        code: 'failed',
        error: expect.stringContaining('Planning has stopped in the phase DESIGN'),
        hint: expect.stringContaining('skep build --resume'),
      });

      record({ object: design });
      const second = build(['--resume', '--repo', repo]);
      await second.line(({ event, phase }) => event === 'planning' && phase === 'TASKS');
      second.child.kill('SIGINT');
      const { code, lines } = await second.ended;
      expect([code, lines.at(-1)]).toEqual([130, expect.objectContaining({ event: 'interrupted', goes_on: false })]);
      // What was planned is planned: neither questions nor requirements come again.
      expect(lines.map(({ phase }) => phase)).not.toContain('REQUIREMENTS');

      const last = await build(['--resume', '--repo', repo]).ended;
      expect([last.code, last.err, last.summary?.['commits']]).toEqual([0, '', 2]);
      const again = await build(given(repo)).ended;
      expect(again.code).toBe(0);
    },
    timeout,
  );

  it(
    'says at once what is missing where the model is not one that is known',
    async () => {
      const repo = repository('third');
      const { code, err, lines } = await build(given(repo).map(word => (word === 'recorded/demo' ? 'openai/gpt-5-codex' : word)))
        .ended;
      expect(code).toBe(7);
      expect(err).toContain('OPENAI_API_KEY');
      // Before a session was opened, or anything ran.
      expect(lines).toEqual([]);
    },
    timeout,
  );
});
