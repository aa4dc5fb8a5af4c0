import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scriptedServer, skep } from '../../../../test/harness/cli.ts';
import { plainProject } from '../../../../test/harness/plain-project.ts';
import type { Answer, Call } from '../../../../test/harness/cli.ts';

const at = '2026-01-02T03:04:05.000Z';
const id = 'aaaa1111-2222-4333-8444-555555555555';
const specId = 'cccc1111-2222-4333-8444-555555555555';
const projectId = 'dddd1111-2222-4333-8444-555555555555';
const codex = ['--agent', 'codex', '--model', 'recorded/demo'];

let cwd: string;
let server: Awaited<ReturnType<typeof scriptedServer>>;
let state: { session: string; planning: string; phase: string; reason: string | null; specs: number };
let project: Record<string, unknown> | undefined;
/** What the planner does between two looks. */
let plan: () => void;

beforeEach(async () => {
  cwd = realpathSync(mkdtempSync(join(tmpdir(), 'skep-idea-')));
  execFileSync('git', ['init', '--quiet', cwd]);
  state = { session: 'clarifying', planning: 'working', phase: 'CLARIFY', reason: null, specs: 0 };
  project = undefined;
  plan = plansWell;
  server = await scriptedServer(answer);
});
afterEach(async () => {
  await server.close();
  rmSync(cwd, { recursive: true, force: true });
});

/** Asks once, and then plans until there is a spec. */
function plansWell(): void {
  if (state.session !== 'clarifying') return;
  if (state.planning === 'done') Object.assign(state, { planning: 'working', phase: 'REQUIREMENTS' });
  else if (state.planning === 'working' && state.phase === 'CLARIFY') state.planning = 'asking';
  else if (state.planning === 'working')
    Object.assign(state, { session: 'reviewing', planning: 'done', phase: 'TASKS', specs: state.specs + 1 });
}

const session = () => ({
  id,
  project_id: projectId,
  spec_id: state.specs === 0 ? null : specId,
  epic_id: null,
  description: 'skep build: Send invoices',
  state: state.session,
  progress: 0,
  planning: { state: state.planning, phase: state.phase, reason: state.reason },
  waiting_for: null,
  created_at: at,
  updated_at: at,
});
const questions = [
  { id: 'Q1', text: 'Which currency?', options: ['EUR', 'USD'], default: 'EUR' },
  { id: 'Q2', text: 'Whose rates?', options: [], default: 'A file\u001b[2J' },
];
const spec = () => ({
  id: specId,
  session_id: id,
  project_id: projectId,
  version: state.specs,
  name: 'Invoices',
  status: 'draft',
  phase: 'TASKS',
  card: {
    name: 'Invoices',
    description: '',
    features: [{ title: 'Rates' }, { title: 'Sums', depends_on: ['Rates'] }],
    technical_requirements: [],
  },
  plan: {
    summary: 'Hours become money.',
    requirements: [
      { id: 'R1', statement: 'WHEN hours are given, THE SYSTEM SHALL add them up.', criteria: ['1h and 1h are 2h'] },
    ],
    technical_requirements: ['No dependency'],
    design: {
      overview: 'Two modules.',
      components: [{ name: 'Sums', responsibility: 'Adding up', files: [] }],
      decisions: [{ decision: 'Cents', reason: 'Exact' }],
      risks: ['Rounding'],
    },
    tasks: [],
  },
  on_result_found: 'stop_all',
  created_at: at,
  updated_at: at,
});
const inspection = {
  repository: null,
  commit: 'a'.repeat(40),
  branch: 'skep/invoices',
  checks: [],
  notes: [],
  object_format: 'sha1',
};

function answer({ method, path, body }: Call): Answer {
  if (path.startsWith('/api/models?name=gone'))
    return { status: 404, fault: 'unknown_model', json: { error: 'There is no such model' } };
  if (path.startsWith('/api/models')) return { json: { models: [] } };
  if (path === '/api/router') return { json: { router: null } };
  if (path.endsWith('/answer')) {
    pending = [];
    plan = plansWell;
    return { json: spentBudget };
  }
  if (path.startsWith('/api/questions')) return { json: { questions: pending } };
  if (path.startsWith('/api/projects?')) return { json: { projects: [] } };
  if (path === '/api/projects' && method === 'GET') return { json: { projects: project === undefined ? [] : [project] } };
  if (path.endsWith('/inspect')) return { json: inspection };
  if (path.startsWith('/api/projects')) {
    project ??= plainProject({ id: projectId, name: 'x' });
    if (method !== 'GET') Object.assign(project, body);
    return { json: project };
  }
  if (path === '/api/hitl' && method === 'GET') return { json: { sessions: listed } };
  if (path.endsWith('/messages'))
    return { json: { messages: [{ number: 1, author: 'clarifier', text: '', questions, created_at: at }] } };
  if (path.startsWith('/api/specs/')) return { json: spec() };
  if (path.endsWith('/respond')) Object.assign(state, { planning: 'working', phase: 'REQUIREMENTS' });
  if (path.endsWith('/generate-spec')) Object.assign(state, { planning: 'working', reason: null });
  if (path.endsWith('/reject')) state.session = 'clarifying';
  if (path.endsWith('/approve')) state.session = 'approved';
  // Here the tests end: what follows is as with a card.
  if (path.endsWith('/start-build')) return { status: 409, fault: 'wrong_state', json: { error: 'so far' } };
  if (method === 'GET' && path === `/api/hitl/${id}`) plan();
  return { json: session() };
}
let listed: object[] = [];
let pending: object[] = [];
beforeEach(() => {
  listed = [];
  pending = [];
});

const spentBudget = {
  ...{ id: 'eeee1111-2222-4333-8444-555555555555', kind: 'budget', state: 'pending', subject_type: 'budget', subject_id: 'b' },
  ...{ project_id: projectId, ticket_id: null, run_id: null, spec_id: null, text: 'The budget is spent: $0.50 of $0.50' },
  ...{ options: [], default_answer: null, answer: null, answered_by: null, due_at: null, created_at: at, decided_at: null },
};

const build = (words: readonly string[], more: object = {}) =>
  skep(['build', ...words], {
    cwd,
    env: { SKEP_SERVER: server.url, SKEP_TOKEN: 'token', SKEP_HOME: join(cwd, 'home') },
    ...more,
  });
const idea = ['--idea', 'Send invoices', ...codex];
const posted = () =>
  server.calls.filter(({ method }) => method !== 'GET').map(({ path, body }) => [path.replace(/.*\//, ''), body]);

describe('skep build --idea', () => {
  it('asks what is to be done where a spent budget stops the planning, and goes on', async () => {
    plan = () => {};
    pending = [spentBudget];
    const { questions: asked } = await build(idea, {
      isTerminal: true,
      answer: (question: string) => (question.startsWith('Your answer') ? 'raise:1.00' : 'y'),
    });
    expect(asked[0]).toContain('Your answer');
    expect(posted()).toContainEqual(['answer', { answer: 'raise:1.00' }]);
    expect(posted()).toContainEqual(['approve', {}]);
  });

  it('says how to answer where nobody can be asked, or nobody answers', async () => {
    plan = () => {};
    pending = [spentBudget];
    const { code, err } = await build(idea);
    expect([code, err]).toEqual([4, expect.stringContaining('The budget is spent: $0.50 of $0.50')]);
    expect(err).toContain('skep question answer eeee1111 raise:AMOUNT');
    const later = await build(['--resume'], { isTerminal: true, answer: () => 'l' });
    expect(later.code).not.toBe(0);
  });

  it('asks, shows the spec and builds what a person approves', async () => {
    const answers: Record<string, string> = { '[EUR]': '2', '[A file': '', 'Build this?': 'y' };
    const { out, questions: asked } = await build(idea, {
      isTerminal: true,
      answer: (question: string) => Object.entries(answers).find(([start]) => question.trim().startsWith(start))?.[1] ?? '?',
    });
    expect(asked).toHaveLength(3);
    expect(posted()).toEqual([
      [
        'projects',
        expect.objectContaining({ agent: { kind: 'codex', model: 'recorded/demo' }, planner: { model: 'recorded/demo' } }),
      ],
      ['hitl', { project_id: projectId, description: 'skep build: Send invoices' }],
      ['respond', { message: 'Q1: Which currency?\nUSD\n\nQ2: Whose rates?\nA file\u001b[2J' }],
      ['inspect', { title: 'Invoices' }],
      ['approve', {}],
      ['start-build', { confirmed: true }],
    ]);
    expect(out).toContain('R1   WHEN hours are given, THE SYSTEM SHALL add them up.\n         - 1h and 1h are 2h');
    expect(out).toContain('- Cents (Exact)');
    expect(out).toMatch(/1 {2}Rates\n {2}2 {4}Sums {2}<- 1/);
    expect(out).not.toContain('\u001b[2J');
    // Wherever a recording speaks, it is said that it is one.
    expect(out).toContain('2 questions (recorded demo)');
    expect(out).toContain('Invoices (recorded demo)');
    expect(out).toMatch(/agent +codex with recorded\/demo \(recorded demo\)/);
    expect(out).toMatch(/planner +recorded\/demo \(recorded demo\)/);
  });

  it('takes what is suggested and approves where nobody can be asked, and says so', async () => {
    const { out } = await build(idea);
    expect(out).toContain(
      'Answered by what was suggested (there is no terminal to ask on) (recorded demo):\n  Which currency?\n    EUR\n',
    );
    expect(out).toContain('Approved without asking: there is no terminal to ask on');
    Object.assign(state, { session: 'clarifying', planning: 'working', phase: 'CLARIFY', specs: 0 });
    const yes = await build([...idea, '--yes'], { isTerminal: true });
    expect(yes.out).toContain('Approved without asking: --yes');
    expect(yes.questions).toEqual([]);
  });

  it('tells programs each step as a line of JSON', async () => {
    const { out } = await build([...idea, '--json']);
    const lines = out
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as { event: string });
    expect(lines.map(({ event }) => event)).toEqual(['planning', 'questions', 'answers', 'planning', 'spec', 'plan', 'approval']);
    expect(lines[2]).toMatchObject({ answers: [{ id: 'Q1', answer: 'EUR', by: 'default' }, { id: 'Q2' }] });
    expect(lines[4]).toMatchObject({ name: 'Invoices', requirements: [{ id: 'R1' }], version: 1 });
    expect(lines[5]).toMatchObject({ planner: { model: 'recorded/demo' }, recorded: true });
  });

  it('plans again what a person sends back with a reason', async () => {
    const answers = ['', '', 'n', 'Cheaper', 'y'];
    const { out } = await build(idea, { isTerminal: true, answer: () => answers.shift() ?? '?' });
    expect(posted()).toContainEqual(['reject', { reason: 'Cheaper' }]);
    expect(state.specs).toBe(2);
    expect(out.match(/Hours become money/g)).toHaveLength(2);
  });

  it('leaves the spec as it is for whoever wants to decide later', async () => {
    const answers = ['', '', 'q'];
    const { code, err } = await build(idea, { isTerminal: true, answer: () => answers.shift() ?? '?' });
    expect(code).toBe(130);
    expect(err).toContain('Interrupted before anything was built');
    expect(err).toContain('skep build --resume aaaa1111');
    expect(posted().map(([verb]) => verb)).not.toContain('cancel');
  });

  it('stops where planning has stopped, and says why', async () => {
    plan = () => Object.assign(state, { planning: 'stopped', phase: 'DESIGN', reason: 'no key for it' });
    const { code, err } = await build(idea);
    expect(code).toBe(1);
    expect(err).toBe(
      'error: Planning has stopped in the phase DESIGN: no key for it\n  hint: Mend that, and go on from there: skep build --resume aaaa1111\n',
    );
  });
});

describe('skep build --resume of an idea', () => {
  const resume = (more: object = {}) => build(['--resume', id], more);
  const known = () =>
    (project = {
      ...plainProject({ id: projectId, name: 'x' }),
      repository: cwd,
      agent: { kind: 'codex', model: 'recorded/demo' },
      planner: { model: 'recorded/demo' },
    });

  it('tries again what had stopped', async () => {
    known();
    Object.assign(state, { planning: 'stopped', phase: 'DESIGN', reason: 'no key' });
    await resume();
    expect(posted().map(([verb]) => verb)).toEqual(['generate-spec', 'inspect', 'approve', 'start-build']);
  });

  it('asks the questions that wait', async () => {
    known();
    state.planning = 'asking';
    plan = () => {};
    const { questions: asked } = await resume({ isTerminal: true, answer: () => Promise.reject(new Error('enough')) });
    expect(asked).toEqual(['[EUR] ']);
    expect(posted()).toEqual([]);
  });

  it('shows the spec that waits', async () => {
    known();
    Object.assign(state, { session: 'reviewing', planning: 'done', specs: 1 });
    const { out } = await resume();
    expect(out).toContain('Going on with session aaaa1111 (skep build: Send invoices)');
    expect(posted().map(([verb]) => verb)).toEqual(['inspect', 'approve', 'start-build']);
  });

  it.each<[string, object, readonly string[]]>([
    ['who is to work', { agent: { kind: 'pi', model: 'gone/m' } }, []],
    ['who plans', { planner: { model: 'gone/m' } }, []],
    ['who is given', {}, ['--agent', 'pi', '--model', 'gone/m']],
  ])('does nothing where the model of %s is not there', async (_, changed, words) => {
    Object.assign(known(), changed);
    const { code, err } = await build(['--resume', id, ...words]);
    expect(err).toContain('There is no such model');
    expect([code === 0, posted()]).toEqual([false, []]);
  });

  it('of a build that has begun changes nothing to a model that is not there', async () => {
    known();
    Object.assign(state, { session: 'building', planning: 'done', specs: 1 });
    const { err } = await build(['--resume', id, '--agent', 'pi', '--model', 'gone/m']);
    expect(err).toContain('There is no such model');
    expect(posted()).toEqual([]);
  });

  it('goes on from an approval without a word', async () => {
    known();
    Object.assign(state, { session: 'approved', planning: 'done', specs: 1 });
    await resume();
    expect(posted().map(([verb]) => verb)).toEqual(['start-build']);
  });
});

describe('skep build --idea refuses before anything is planned', () => {
  it.each<[string, readonly string[], number, string]>([
    ['an idea and a card', ['--idea', 'x', '--spec', 'card.json', ...codex], 2, 'Give one of --spec, --idea and --idea-file'],
    ['an empty idea', ['--idea', '  ', ...codex], 2, 'The idea is empty'],
    ['an idea of many words', ['--idea', 'x'.repeat(90_001), ...codex], 2, 'The idea has 90001 characters'],
    ['a file that is not there', ['--idea-file', 'no.txt', ...codex], 2, 'no.txt does not exist'],
    [
      'nobody to plan',
      ['--idea', 'x', '--command', 'true'],
      7,
      'No model is configured: there is nobody who could plan this idea',
    ],
    ['an agent without its model', ['--idea', 'x', '--agent', 'codex'], 2, '--agent codex needs a model'],
    ['a name that is none', ['--idea', 'x', '--agent', 'codex', '--model', 'a b'], 2, "--model: 'a b' is no name of a model"],
    [
      'a program for an agent that has one',
      ['--idea', 'x', ...codex, '--command', 'true'],
      2,
      '--agent codex brings its own program',
    ],
  ])('%s', async (...[, words, exit, why]) => {
    const { code, err } = await build(words);
    expect(err).toContain(why);
    expect([code, posted()]).toEqual([exit, []]);
  });

  it('the same idea twice', async () => {
    project = { ...plainProject({ id: projectId, name: 'x' }), repository: cwd };
    listed = [session()];
    const { code, err } = await build(idea);
    expect([code, posted()]).toEqual([4, []]);
    expect(err).toContain('skep build --resume aaaa1111');
  });

  it('reads an idea from a file', async () => {
    writeFileSync(join(cwd, 'idea.txt'), 'From a file\n');
    await build(['--idea-file', 'idea.txt', '--planner', 'recorded/demo', '--command', 'true']);
    expect(posted()[1]).toEqual(['hitl', { project_id: projectId, description: 'skep build: From a file' }]);
  });
});
