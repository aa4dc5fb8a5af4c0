import { describe, expect, it } from 'vitest';
import { plainProject } from '../../../../test/harness/plain-project.ts';
import type { Agent, WireProject } from '../../../../contract/projects.ts';
import type { Router } from '../../../../contract/templates/router.ts';
import { Fault } from '../../../kernel/fault.ts';
import type { Context } from '../../context.ts';
import { checkBuild } from './check.ts';
import { handsOf, worksOf } from './works.ts';

const agent: Agent = { kind: 'exec', command: ['a'] };
const project = (more: Partial<WireProject>): WireProject => ({
  ...plainProject({ id: '11111111-2222-4333-8444-555555555555', name: 'todo' }),
  ...more,
});
const some: Router = { routes: [{ types: ['bug'], template: 'careful' }] };
const all: Router = { ...some, default: 'quick' };
const each: Router = { routes: [...some.routes, { types: ['task', 'feature'], template: 'quick' }] };

interface World {
  readonly router?: Router | null;
  /** Agent and fallback, by what a template is asked for by. */
  readonly templates?: Readonly<Record<string, readonly [Agent, ...string[]]>>;
  /** The models that can be asked, each with its wire. */
  readonly models?: readonly string[];
}

/** A server with these routes for all projects, these templates and these models; `asked` is what was asked of it, `told` what was said then. */
function serverOf({ router = null, templates = {}, models = [] }: World) {
  const asked: string[] = [];
  const request = async (method: string, path: string, { query = {} }: { query?: Record<string, string | undefined> }) => {
    const said = Object.values(query).filter(value => value !== undefined);
    asked.push([method, path, ...said].join(' '));
    if (path === '/api/router') return { router };
    if (path === '/api/models') {
      if (models.includes(said.join(' '))) return { models: [] };
      throw new Fault('unknown_model', { message: `There is no ${said.join(' over ')}`, hint: 'There are others' });
    }
    const [name, version = '1'] = [path.slice('/api/templates/'.length), ...said];
    const found = templates[said.length === 0 ? name : `${name}@${version}`];
    if (found === undefined) throw new Fault('template_not_found', { message: `There is no template ${name}` });
    const [named, ...fallback] = found;
    return { id: `${name}@${version}`, agent: named, fallback };
  };
  const told: unknown[] = [];
  const shown = { err: { write: (text: string) => told.push(text) }, show: (document: object) => told.push(document) };
  return { asked, told, context: { client: { request }, json: false, ...shown } as unknown as Context };
}

describe('what works on a project', () => {
  it.each<[string, WireProject, Router | null, object]>([
    ['its agent', project({ agent }), all, { agent, templates: null }],
    ['its templates, where they leave nothing', project({ agent, router: all }), null, { agent: null, templates: all }],
    ['the same without a default', project({ agent, router: each }), null, { agent: null, templates: each }],
    ['both', project({ agent, router: some }), all, { agent, templates: some }],
    ['the templates of all projects', project({}), all, { agent: null, templates: all }],
    [
      'its own templates before those',
      project({ router: some }),
      { routes: [{ types: ['bug', 'task'], template: 'x' }], default: 'y' },
      { agent: null, templates: { routes: [...some.routes, { types: ['task'], template: 'x' }], default: 'y' } },
    ],
    ['nothing', project({}), null, { agent: null, templates: null }],
  ])('is %s', async (...[, of, router, works]) => {
    expect(await worksOf(serverOf({ router }).context, of, {})).toEqual(works);
  });

  it('is an agent that is wished, before the templates of all projects', async () => {
    expect(await worksOf(serverOf({ router: all }).context, project({}), { agent })).toEqual({ agent, templates: null });
  });
});

describe('who may come to a run', () => {
  const codex: Agent = { kind: 'codex', model: 'o/m' };
  const pi: Agent = { kind: 'pi', model: 'p/m' };

  const templates: World['templates'] = {
    'careful@3': [codex, 'gone', 'spare', 'spare'],
    spare: [agent, 'never'],
    never: [agent],
    quick: [pi],
  };
  const routes: Router = {
    routes: [
      { types: ['bug'], template: 'lost' },
      { types: ['feature'], template: 'careful@3' },
    ],
  };

  it('is what the route of features names, and what stands in for that, each once, and not the agent', async () => {
    const { asked, context } = serverOf({ templates });
    expect(await handsOf(context, { agent, templates: routes })).toEqual([
      { agent: codex, of: { template: 'careful@3', when: 'works on what is a feature' }, isSpare: false },
      { agent, of: { template: 'spare@1', when: 'stands in for careful@3' }, isSpare: true },
    ]);
    expect(asked.join()).not.toContain('lost');
    const whole = await handsOf(context, { agent: null, templates: { routes: [], default: 'quick' } });
    expect(whole.map(({ of }) => of?.template)).toEqual(['quick@1']);
  });

  it('is the agent, where no route names a template for features', async () => {
    const some: Router = { routes: [{ types: ['bug', 'task'], template: 'quick' }] };
    expect(await handsOf(serverOf({ templates }).context, { agent, templates: some })).toEqual([
      { agent, of: undefined, isSpare: false },
    ]);
  });

  it('is not known where the server does not answer', async () => {
    const context = { client: { request: () => Promise.reject(new Fault('server_unavailable')) } } as unknown as Context;
    await expect(handsOf(context, { agent: null, templates: all })).rejects.toMatchObject({ code: 'server_unavailable' });
  });
});

describe('before a build', () => {
  const templates: World['templates'] = {
    careful: [{ kind: 'codex', model: 'o/m' }, 'spare'],
    spare: [{ kind: 'claude', model: 'o/m' }],
    quick: [agent],
  };
  const careful: Router = { routes: [{ types: ['bug'], template: 'quick' }], default: 'careful' };

  it('the models of all who may come to a run are asked for, over the wires of their agents, and of who plans', async () => {
    const models = ['o/m responses', 'o/m anthropic', 'gemini/p gemini'];
    const { asked, context } = serverOf({ router: careful, templates, models });
    await checkBuild(context, project({}), { planner: { model: 'gemini/p' } });
    expect(asked.filter(each => each.includes('/api/models'))).toEqual(models.map(model => `GET /api/models ${model}`));
  });

  it('what a route names is refused with template, version and field', async () => {
    const what = 'works on what is a feature, cannot be used: agent.model: There is no o/m over responses';
    for (const [of, router] of [
      [project({}), careful],
      [project({ router: careful }), null],
      [project({ agent, router: { routes: [{ types: ['feature'], template: 'careful' }] } }), null],
    ] as const)
      await expect(checkBuild(serverOf({ router, templates }).context, of, {})).rejects.toMatchObject({
        ...{ code: 'unknown_model', message: `The template careful@1, which ${what}` },
        ...{ facts: { template: 'careful@1', field: 'agent.model' } },
        hint: expect.stringMatching(/^There are others\. Or put a version of the template with another agent\.model/),
      });
  });

  it('what only stands in is noted, and the build begins', async () => {
    const message =
      'The template spare@1, which stands in for careful@1, cannot be used: agent.model: There is no o/m over anthropic';
    const { told, context } = serverOf({ router: careful, templates, models: ['o/m responses'] });
    await checkBuild(context, project({}), {});
    await checkBuild({ ...context, json: true }, project({}), {});
    expect(told).toEqual([`${message}\n`, { event: 'note', text: message }]);
  });

  it('of what a build never comes to nothing is asked', async () => {
    const router: Router = { routes: [{ types: ['bug', 'task'], template: 'careful' }], default: 'quick' };
    const { asked, context } = serverOf({ templates });
    await checkBuild(context, project({ agent: { kind: 'codex', model: 'o/m' }, router }), {});
    expect(asked).toEqual(['GET /api/templates/quick']);
  });

  it('the agent of the project is refused in the words of the server', async () => {
    const refusal = { code: 'unknown_model', message: 'There is no x/y over responses', hint: 'There are others' };
    const wished: Agent = { kind: 'codex', model: 'x/y' };
    await expect(checkBuild(serverOf({ router: all }).context, project({}), { agent: wished })).rejects.toMatchObject(refusal);
  });

  it('somebody must work on features, since these are what it makes', async () => {
    const nobody = checkBuild(serverOf({ templates }).context, project({ router: some }), {});
    await expect(nobody).rejects.toMatchObject({
      code: 'invalid_request',
      message: expect.stringContaining('Nobody would work on the features of this build'),
    });
    await expect(checkBuild(serverOf({}).context, project({}), {})).rejects.toThrow("The agent's command is missing");
  });
});
