import { describe, expect, it } from 'vitest';
import { plainProject } from '../../../test/harness/plain-project.ts';
import type { Agent, WireProject } from '../../../contract/projects.ts';
import type { Router } from '../../../contract/templates/router.ts';
import type { Context } from '../context.ts';
import { changeProject, findOrMakeProject, worksOf } from './project.ts';

const agent: Agent = { kind: 'exec', command: ['a'] };
const project = (more: Partial<WireProject>): WireProject => ({
  ...plainProject({ id: '11111111-2222-4333-8444-555555555555', name: 'todo' }),
  ...{ repository: '/srv/todo', agent: null, router: null },
  ...more,
});
/** A server with these projects and these routes for all. */
const contextOf = ({ projects = [], router = null }: { projects?: WireProject[]; router?: Router | null }): Context => {
  const request = async (method: string, path: string) => {
    if (method !== 'GET') throw new Error(`${method} ${path}`);
    return path === '/api/router' ? { router } : { projects };
  };
  return { client: { request } } as unknown as Context;
};
const some: Router = { routes: [{ types: ['bug'], template: 'careful' }] };
const all: Router = { ...some, default: 'quick' };
const each: Router = { routes: [...some.routes, { types: ['task', 'feature'], template: 'quick' }] };

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
    expect(await worksOf(contextOf({ router }), of, {})).toEqual(works);
  });

  it('is an agent that is wished, before the templates of all projects', async () => {
    expect(await worksOf(contextOf({ router: all }), project({}), { agent })).toEqual({ agent, templates: null });
  });

  it('is no agent that is given where templates leave it nothing: that is refused', async () => {
    const refusal = {
      message: expect.stringContaining('it would do nothing'),
      hint: expect.stringContaining('todo --no-router'),
    };
    for (const router of [all, each]) {
      const routed = project({ router });
      const given = { repository: '/srv/todo', wishes: { agent }, sessions: [] };
      await expect(findOrMakeProject(contextOf({ projects: [routed] }), given)).rejects.toMatchObject(refusal);
      await expect(changeProject(contextOf({}), routed, { agent })).rejects.toMatchObject(refusal);
    }
    const given = { repository: '/srv/todo', wishes: { agent }, sessions: [] };
    expect(await findOrMakeProject(contextOf({ projects: [project({ router: some })] }), given)).toMatchObject({ router: some });
  });
});
