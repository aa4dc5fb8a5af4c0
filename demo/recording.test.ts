import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clarifyOutput, requirementsOutput, tasksOutput } from '../contract/talk/planning.ts';
import { planningPhases } from '../contract/runs.ts';
import type { Scene } from '../src/providers/models/recorded/format.ts';
import { loadRecording } from '../src/providers/models/recorded/load.ts';
import { unmet } from '../src/providers/models/recorded/play/expect.ts';
import { judgeOutput } from '../src/stages/runs/planning/model/quality.ts';

/**
 * Plays the recording without any agent: what it writes is written, what it runs is run, and each `expect` is held against what
 * that really prints. So it cannot rot while nobody looks.
 */
const here = import.meta.dirname;
const { scenes } = await loadRecording(join(here, 'recording'));
const ofPhase = (phase: string) =>
  scenes.filter(({ match }) => match.phase === phase).flatMap(({ steps }) => steps.flatMap(({ object }) => object ?? []));
const { tasks } = tasksOutput.parse(ofPhase('TASKS')[0]);
const { requirements } = requirementsOutput.parse(ofPhase('REQUIREMENTS')[0]);
const scenesOf = (title: string) => scenes.filter(({ match }) => match.title === title);

let folder: string;
const git = (...words: readonly string[]) =>
  execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.invalid', ...words], { cwd: folder, stdio: 'pipe' });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-recording-'));
  cpSync(join(here, 'sample'), folder, { recursive: true });
  git('init', '--quiet', '--initial-branch', 'base');
  git('add', '--all');
  git('commit', '--quiet', '--message', 'Begin');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Both streams, as an agent is shown them. */
function run(line: string): { readonly status: number | null; readonly text: string } {
  // Without NODE_TEST_CONTEXT, or node:test inside of a test says nothing.
  const env = { PATH: process.env['PATH'], HOME: folder };
  const { status, stdout } = spawnSync('sh', ['-c', `{ ${line}; } 2>&1`], { cwd: folder, env, encoding: 'utf8' });
  return { status, text: stdout };
}

/** Takes all steps; returns whether the work was handed in. */
function play({ steps }: Scene, prompt: string): boolean {
  let heard = prompt;
  let isSubmitted = false;
  for (const { expect: wanted, call } of steps) {
    const missing = unmet(wanted, heard);
    if (missing !== undefined) throw new Error(`expected ${missing} in:\n${heard}`);
    if (call?.shell !== undefined) heard = run(call.shell).text;
    else if (call?.write !== undefined) {
      mkdirSync(dirname(join(folder, call.write.path)), { recursive: true });
      writeFileSync(join(folder, call.write.path), call.write.content);
    } else if (call?.report !== undefined) {
      isSubmitted = call.report.tool === 'submit_result' && call.report.args['status'] === 'done';
    }
  }
  return isSubmitted;
}

const branchOf = (id: string) => `ticket-${id}`;

describe('the recording of the demo', () => {
  it('plans in a way that Skep finds good', () => {
    for (const phase of planningPhases) {
      expect(ofPhase(phase)).not.toEqual([]);
      for (const object of ofPhase(phase))
        expect(
          judgeOutput(
            phase,
            object,
            requirements.map(({ id }) => id),
          ),
        ).toMatchObject({ ok: true });
    }
    expect(requirements.length).toBeGreaterThanOrEqual(6);
  });

  it('asks until its questions stand in the conversation', () => {
    const [scene] = scenes.filter(({ match }) => match.phase === 'CLARIFY');
    const answerTo = (prompt: string) =>
      clarifyOutput.parse(scene?.steps.find(step => unmet(step.expect, prompt) === undefined)?.object).questions;
    const asked = answerTo('Make tally useful');
    expect(asked).toHaveLength(2);
    expect(answerTo(asked.map(({ text }) => `${text}\nYes`).join('\n'))).toEqual([]);
  });

  it('has a scene for every task, and enough of them to be built side by side', () => {
    expect(tasks.filter(({ title }) => scenesOf(title).length === 0)).toEqual([]);
    expect(tasks.length).toBeGreaterThanOrEqual(8);
    expect(tasks.filter(({ depends_on }) => depends_on.length === 0).length).toBeGreaterThanOrEqual(3);
  });

  it('begins from a sample whose tests are green', () => {
    expect(run('node --test')).toMatchObject({ status: 0 });
  });

  // In the order in which the tasks stand: what one depends on stands before it.
  it.each(tasks.map(task => [task.title, task] as const))('%s: works on what it depends on, and nothing else', (title, task) => {
    git('checkout', '--quiet', '-B', branchOf(task.id), 'base');
    for (const need of task.depends_on) git('merge', '--quiet', '--no-edit', branchOf(need));
    const rounds = scenesOf(title);
    let prompt = `${title}\n${task.description}`;
    for (const [i, scene] of rounds.entries()) {
      expect(play(scene, prompt)).toBe(true);
      const { status, text } = run('npm test');
      // What is handed in too early is red, and the next round is told what was.
      expect([status === 0, text]).toEqual([i === rounds.length - 1, text]);
      prompt = `${title}\n${text}`;
    }
    git('add', '--all');
    git('commit', '--quiet', '--message', title);
  });

  it('merges without a conflict into something that is green', () => {
    git('checkout', '--quiet', 'base');
    for (const { id } of tasks) git('merge', '--quiet', '--no-edit', branchOf(id));
    expect(run('npm test')).toMatchObject({ status: 0 });
    expect(run('node src/cli.js example/march.txt example/rates.txt').text).toContain('825.88 EUR');
  });

  it('is red in a first round at least once', () => {
    expect(tasks.filter(({ title }) => scenesOf(title).length > 1)).not.toEqual([]);
  });
});
