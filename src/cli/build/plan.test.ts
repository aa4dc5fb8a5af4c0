import { plainProject } from '../../../test/harness/plain-project.ts';
import { describe, expect, it } from 'vitest';
import type { Agent } from '../../../contract/projects.ts';
import type { SpecCardInput } from '../../../contract/spec-card.ts';
import type { Output } from '../context.ts';
import { plannedFeatures, planDocument, planText } from './plan.ts';
import type { Plan } from './plan.ts';

const out: Output = { isTerminal: false, hasColour: false, write() {} };
const uuid = '11111111-2222-4333-8444-555555555555';
const card: SpecCardInput = {
  name: 'Todo',
  features: [
    { title: 'Sort', depends_on: ['List'] },
    { title: 'List', depends_on: ['Store'] },
    { title: 'Store' },
    { title: 'Docs' },
  ],
};
const agent: Agent = { kind: 'exec', command: ['sh', '-c', 'node agent.js | tee log'] };
const plan = (more: Partial<Plan> = {}): Plan => ({
  sessionId: uuid,
  card,
  project: {
    ...plainProject({ id: uuid, name: 'todo' }),
    repository: '/srv/todo',
    agent,
  },
  wishes: {},
  works: { agent, templates: null },
  inspection: {
    repository: '/srv/todo',
    commit: 'a'.repeat(40),
    branch: 'skep/todo',
    checks: [{ name: 'npm test', command: ['npm', 'test'] }],
    notes: ['2 files are not committed: they are not part of the build'],
  },
  others: [],
  ...more,
});

describe('the plan', () => {
  it('says where, on what, by whom and how it is checked, and numbers the tickets in the order of the graph', () => {
    expect(planText(plan(), out).split('\n')).toEqual([
      'Todo',
      'repository  /srv/todo, at aaaaaaaaaaaa; what is not committed is no part of it',
      'branch      skep/todo (new; nothing else of the repository is written)',
      'agent       node agent.js | tee log',
      'checks      npm test (found in the repository)',
      'notes       2 files are not committed: they are not part of the build',
      'tickets     4, in 3 steps, at most 2 side by side',
      '  1  Store',
      '  2  Docs',
      '  3    List  <- 1',
      '  4      Sort  <- 3',
    ]);
  });

  it.each<[string, Partial<Plan>, string]>([
    ['given', { wishes: { checks: [] } }, 'checks      none: the result will be unproven\n'],
    [
      'set in the project',
      { project: { ...plan().project, checks: [] }, inspection: { ...plan().inspection, checks: [] } },
      'skep project set todo --find-checks',
    ],
    ['found nowhere', { inspection: { ...plan().inspection, checks: [] } }, "(none found; give one: --check 'npm test')"],
    ['lenient', { wishes: { test_changes: 'allow' } }, 'tests       changes of tests, checks and CI are merged without asking\n'],
    ['without a commit', { inspection: { ...plan().inspection, commit: null } }, 'repository  /srv/todo, no commit yet\n'],
  ])('says what is unusual: %s', (_, more, text) => {
    expect(planText(plan(more), out)).toContain(text);
  });

  it('names the templates that do the work, and the agent where they leave it some', () => {
    const templates = { routes: [{ types: ['bug' as const], template: 'careful@2' }] };
    const both = planText(plan({ works: { agent, templates } }), out);
    expect(both).toContain('\ntemplates   bug: careful@2\nagent       node agent.js | tee log\n');
    const works = { agent: null, templates: { ...templates, default: 'quick' } };
    const alone = planText(plan({ works }), out);
    expect(alone).toMatch(/\ntemplates +bug: careful@2\n +all else: quick\nchecks /);
    expect(planDocument(plan({ works }))).toMatchObject(works);
    expect(planText(plan({ works: { agent: null, templates: null } }), out)).toContain('\nagent       none\n');
  });

  it('is short for 2,000 tickets', () => {
    const features = Array.from({ length: 2_000 }, (_, i) => ({ title: `f${i}`, depends_on: i === 0 ? [] : [`f${i - 1}`] }));
    const lines = planText(plan({ card: { name: 'Big', features } }), out).split('\n');
    expect(lines.length).toBeLessThan(32);
    expect(lines.at(-1)).toBe('  … and 1980 more tickets');
    expect(plannedFeatures({ name: 'Big', features }).at(-1)?.depth).toBe(1_999);
  });

  it('is a document for programs', () => {
    expect(planDocument(plan())).toMatchObject({
      event: 'plan',
      session_id: uuid,
      checks_from: 'found',
      tickets: [{ number: 1, title: 'Store', depends_on: [] }, {}, {}, { number: 4, title: 'Sort', depends_on: [3] }],
    });
  });
});
