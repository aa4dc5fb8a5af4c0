import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Stages, stagesForTests } from '../../../test/harness/stages.ts';
import type { Fault } from '../../kernel/fault.ts';
import { editProject } from '../projects/index.ts';
import { getTemplate, listTemplates, templateHistory } from './reads.ts';
import { getRouter, setRouter } from './router.ts';
import { putTemplates, removeTemplate, usersOf } from './verbs.ts';

let stages: Stages;
beforeEach(async () => {
  stages = await stagesForTests();
});
afterEach(() => stages.close());

const put = async (...sources: string[]) => {
  const documents = sources.map((source, i) => ({ file: `${i}.yaml`, source }));
  return (await stages.app(tx => putTemplates(tx, documents))).map(({ row, isNew }) => [row.id, isNew]);
};
const refusal = async (work: Promise<unknown>) => {
  const { code, message } = await work.then(
    () => Promise.reject(new Error('it was not refused')),
    (error: Fault) => error,
  );
  return `${code}: ${message}`;
};
const get = (name: string, version?: number) => stages.app(tx => getTemplate(tx, name, version));
const exec = (name: string, more = '') => `name: ${name}\nagent: { kind: exec, command: [echo, ${name}] }\n${more}`;

test('a limit of turns or tokens is refused where no call goes through the gateway, at its place', async () => {
  const limits = 'limits: { cpu_count: 1, turns_max: 3 }\n';
  expect(await refusal(put(exec('a', limits)))).toMatch(
    /^invalid_template: 0[.]yaml:3:\d+: limits[.]turns_max: cannot be kept: an agent of the kind exec without a model asks none through/,
  );
  const url = 'name: b\nagent: { kind: http, url: "https://agent.example.org/" }\nlimits: { tokens_max: 5000 }\n';
  expect(await refusal(put(url))).toContain('limits.tokens_max: cannot be kept: an agent of the kind http asks none');
  expect(await put(`name: c\nagent: { kind: codex, model: openai/m }\n${limits}`)).toEqual([['c@1', true]]);
});

test('tools are refused where an agent has none of them, at their place; who has others takes them over, or all', async () => {
  const tools = 'tools: [submit_result, report_blocker]\n';
  expect(await refusal(put(exec('a', tools)))).toMatch(
    /^invalid_template: 0[.]yaml:3:1: tools: an agent of the kind exec without a model has no tools of Skep's/,
  );
  const pi = 'agent: { kind: pi, model: local/m }\n';
  expect(
    await put(`name: few\n${pi}${tools}`, `name: child\nextends: few\n`, `name: all\nextends: few\ntools: all\n`),
  ).toHaveLength(3);
  expect((await get('few')).tools).toEqual(['submit_result', 'report_blocker']);
  expect([(await get('child')).tools, (await get('all')).tools]).toEqual([['submit_result', 'report_blocker'], null]);
  expect(await refusal(put(`name: other\nextends: few\n${exec('other').split('\n')[1]}\n`))).toContain(
    '0.yaml:2:1: extends: an agent of',
  );
  // What differs in its tools alone is another version.
  expect(await put(`name: few\n${pi}tools: []\n`)).toEqual([['few@2', true]]);
});

describe('versions', () => {
  test('what has changed is the next one, what has not is the same, and what was put stays as it was', async () => {
    const first = `# with a note\r\n${exec('a')}`;
    expect(await put(first)).toEqual([['a@1', true]]);
    expect(await put(first)).toEqual([['a@1', false]]);
    expect(await put(exec('a', 'prompt: more\n'))).toEqual([['a@2', true]]);
    expect(await put(first)).toEqual([['a@3', true]]);
    expect((await get('a', 1)).source).toBe(first);
    expect(await get('a', 2)).toMatchObject({ id: 'a@2', prompt: 'more' });
    expect((await stages.app(tx => templateHistory(tx, 'a'))).map(({ id }) => id)).toEqual(['a@3', 'a@2', 'a@1']);
    const told = await stages.sql(
      `select subject_id as name, payload ->> 'version' as version from events where type = 'template.changed'`,
    );
    expect(told).toEqual(['1', '2', '3'].map(version => ({ name: 'a', version })));
  });

  test('of many that are put at once each is kept, in order; of the same ones there is one', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => put(exec('a', `prompt: p${i}\n`))));
    const ids = all.flat().map(([id]) => String(id));
    expect(ids.sort()).toEqual(Array.from({ length: 8 }, (_, i) => `a@${i + 1}`));
    const same = await Promise.all(Array.from({ length: 8 }, () => put(exec('b'))));
    expect(same.flat().filter(([, isNew]) => isNew)).toEqual([['b@1', true]]);
  });

  test('a version is whole: what it extends may go on without it', async () => {
    await put(exec('base', 'prompt: old\nlimits: { cpu_count: 1 }\n'));
    expect(await put('name: child\nextends: base\nagent: { timeout_ms: 5000 }\nlimits: { process_count: 9 }\n')).toEqual([
      ['child@1', true],
    ]);
    await put(exec('base', 'prompt: new\n'));
    const child = { lineage: ['base@1'], prompt: 'old', limits: { cpu_count: 1, process_count: 9 } };
    expect(await get('child')).toMatchObject({ ...child, agent: { kind: 'exec', command: ['echo', 'base'], timeout_ms: 5_000 } });
    // The same text again is another template now.
    expect(await put((await get('child')).source)).toEqual([['child@2', true]]);
    expect(await get('child')).toMatchObject({ lineage: ['base@2'], prompt: 'new', limits: { process_count: 9 } });
    expect(await put('name: old\nextends: base@1\n')).toEqual([['old@1', true]]);
    expect(await get('old')).toMatchObject({ lineage: ['base@1'], prompt: 'old' });
  });
});

test('an agent has the fields of its kind, and no others', async () => {
  const notes = 'name: notes\nagent: { kind: model, model: a/b, output: NOTES.md, files: ["src/**"] }\n';
  await put(notes, 'name: far\nagent: { kind: http, url: "https://x.test/work" }\n');
  expect((await get('notes')).agent).toEqual({ kind: 'model', model: 'a/b', output: 'NOTES.md', files: ['src/**'] });
  expect((await get('far')).agent).toEqual({ kind: 'http', url: 'https://x.test/work' });
  const refused = async (agent: string) => refusal(put(`name: bad\nagent: { ${agent} }\n`));
  expect(await refused('kind: exec, command: [a], output: b')).toContain('has no output: take it away');
  const own = 'kind: acp, command: [./a], model: a/b, env: { MODE: x }, home: { .a/s.json: "{}" }, conversations: .a/talks';
  await put(`name: own\nagent: { ${own} }\n`);
  const agent = { kind: 'acp', command: ['./a'], model: 'a/b', env: { MODE: 'x' }, home: { '.a/s.json': '{}' } };
  expect((await get('own')).agent).toEqual({ ...agent, conversations: '.a/talks' });
  expect(await refused('kind: exec, command: [a], env: { MODE: x }')).toContain('has no env: take it away');
  expect(await refused('kind: acp, command: [a], model: a/b, env: { A_KEY: s3 }')).toContain('agent.env.A_KEY: looks like a key');
  expect(await refused('kind: model, model: a/b')).toContain('agent.output: is missing');
  expect(await refused('kind: http, url: "https://x.test", model: a/b')).toContain('has no model: take it away');
  expect(await refused('kind: model, model: a/b, output: ../x')).toContain('give the path of a file in the repository');
});

describe('what is put together', () => {
  test('may extend and stand in for each other, in any order, all or none', async () => {
    const child = 'name: child\nextends: base\nfallback: [other]\n';
    expect(await put(child, exec('other', 'fallback: [child]\n'), exec('base'))).toEqual([
      ['base@1', true],
      ['child@1', true],
      ['other@1', true],
    ]);
    expect(await refusal(put(exec('fine'), 'name: bad\n'))).toBe(
      'invalid_template: 1.yaml:1:1: agent: say the kind of the agent, such as kind: codex',
    );
    expect((await stages.app(tx => listTemplates(tx, 10))).map(({ name }) => name)).toEqual(['base', 'child', 'other']);
  });

  test.each([
    [['name: a\nextends: b\n', 'name: b\nextends: a\n'], 'extends: the templates extend each other in a circle: '],
    [['name: a\nextends: a\n'], '0.yaml:2:1: extends: the templates extend each other in a circle: a → a'],
    [['name: a\nextends: nobody\n'], 'extends: there is no template nobody: put it first'],
    [[exec('a'), 'name: b\nextends: a@2\n'], '1.yaml:2:1: extends: there is no template a@2: its newest is a@1'],
    [[exec('a'), exec('a')], '1.yaml:1:1: name: 0.yaml is the template a already'],
    [[exec('a', 'fallback: [a]\n')], 'fallback.0: a template does not stand in for itself'],
    [[exec('a', 'fallback: [b]\n')], 'fallback.0: there is no template b: put it first'],
    [['name: a\nagent: { kind: codex }\n'], 'agent.model: is missing: an agent of the kind codex needs it'],
    [['name: a\nagent: { kind: pi, model: m, command: [x] }\n'], 'agent.command: an agent of the kind pi has no command'],
    [['name: a\nagent: { kind: exec, command: [] }\n'], 'agent.command: Too small'],
    [[exec('a', 'prompt: "a\\0b"\n')], '0.yaml:3:9: a text may have neither a NUL nor'],
  ])('%j is refused: %s', async (sources, says) => {
    expect(await refusal(put(...sources))).toContain(says);
    expect(await stages.sql('select from templates')).toEqual([]);
  });

  test('a circle is found however it is made, and a chain has an end', async () => {
    await put(exec('t1'));
    for (let i = 2; i <= 8; i++) await put(`name: t${i}\nextends: t${i - 1}\n`);
    expect(await refusal(put('name: t9\nextends: t8\n'))).toContain('at most 8 templates may stand on top of each other');
    expect(await refusal(put('name: t1\nextends: t3\n'))).toContain('in a circle: t1 → t3 → t2 → t1');
  });
});

describe('who uses a template', () => {
  test('is named, and keeps it from being removed', async () => {
    await put(exec('a'), 'name: b\nextends: a\n', exec('c', 'fallback: [a]\n'));
    await stages.app(tx => editProject(tx, stages.projectId, { router: { routes: [{ types: ['bug'], template: 'a@1' }] } }));
    await stages.app(tx => setRouter(tx, { routes: [], default: 'a' }));
    const users = ['project p', 'template b', 'template c', 'the router of all projects'];
    expect(await stages.app(tx => usersOf(tx, 'a'))).toEqual(users);
    expect(await refusal(stages.app(tx => removeTemplate(tx, 'a')))).toBe(
      `wrong_state: The template a is in use by ${users.join(', ')}`,
    );

    await stages.app(tx => setRouter(tx, null));
    await stages.app(tx => editProject(tx, stages.projectId, { router: null }));
    await put('name: b\nagent: { kind: exec, command: [x] }\n', exec('c'));
    await stages.app(tx => removeTemplate(tx, 'a'));
    expect(await refusal(get('a'))).toBe('template_not_found: There is no template a');
    expect((await get('a', 1)).id).toBe('a@1');
    expect(await refusal(put('name: d\nextends: a\n'))).toContain('there is no template a');
    expect(await put(exec('a'))).toEqual([['a@1', false]]);
    expect((await get('a')).id).toBe('a@1');
  });

  test('a version that a router stays at keeps what it falls back to, and what extends it names none that was removed', async () => {
    await put(exec('a'), exec('b', 'fallback: [a]\n'));
    await put(exec('b'));
    await stages.app(tx => editProject(tx, stages.projectId, { router: { routes: [], default: 'b@1' } }));
    await stages.app(tx => setRouter(tx, { routes: [{ types: ['bug'], template: 'b@1' }] }));
    expect(await stages.app(tx => usersOf(tx, 'a'))).toEqual(['template b@1']);
    await stages.app(tx => setRouter(tx, null));
    expect(await refusal(stages.app(tx => removeTemplate(tx, 'a')))).toContain('in use by template b@1');
    await stages.app(tx => editProject(tx, stages.projectId, { router: { routes: [], default: 'b@2' } }));
    await stages.app(tx => removeTemplate(tx, 'a'));
    expect(await refusal(put('name: c\nextends: b@1\n'))).toBe(
      'invalid_template: 0.yaml:2:1: extends: b@1 falls back to a, which is not there: put that, or say a fallback here',
    );
    expect(await put('name: c\nextends: b@1\nfallback: []\n')).toEqual([['c@1', true]]);
  });

  test('one that stands in for its parent does not stand in for itself', async () => {
    await put(exec('base', 'fallback: [child, other]\n'), 'name: child\nextends: base\n', exec('other'));
    expect((await get('child')).fallback).toEqual(['other']);
  });

  test('a route to what is not there is refused, also while it is being removed', async () => {
    const route = (name: string) => stages.app(tx => setRouter(tx, { routes: [], default: name }));
    expect(await refusal(route('a'))).toBe('template_not_found: There is no template a');
    await put(exec('a'));
    expect(await refusal(route('a@2'))).toBe('template_not_found: There is no template a@2');
    const all = await Promise.allSettled([route('a'), stages.app(tx => removeTemplate(tx, 'a'))]);
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const [router, there] = [await stages.app(getRouter), await stages.app(tx => listTemplates(tx, 10))];
    expect(router === null).toBe(there.length === 0);
  });
});

test('what is of another tenant is not there', async () => {
  await put(exec('a'));
  const other = await stages.makeTenant('other');
  expect(await refusal(stages.app(tx => getTemplate(tx, 'a'), other))).toContain('template_not_found');
  expect(await stages.app(tx => listTemplates(tx, 10), other)).toEqual([]);
  expect(await refusal(stages.app(tx => setRouter(tx, { routes: [], default: 'a' }), other))).toContain('template_not_found');
  const documents = [{ file: 'f', source: exec('a', 'prompt: theirs\n') }];
  expect((await stages.app(tx => putTemplates(tx, documents), other)).map(({ row }) => row.id)).toEqual(['a@1']);
  expect(await get('a')).toMatchObject({ id: 'a@1', prompt: '' });
});

test('the examples of the page can be put', async () => {
  const page = readFileSync(new URL('../../../docs/templates.md', import.meta.url), 'utf8');
  const examples = [...page.matchAll(/```yaml\n([^`]+)```/g)].map(([, text = '']) => text);
  expect(await put(...examples)).toEqual([
    ['careful@1', true],
    ['quick@1', true],
  ]);
});
