import { describe, expect, it } from 'vitest';
import { plainProject } from '../../../test/harness/plain-project.ts';
import type { Agent, WireProject } from '../../../contract/projects.ts';
import type { Router } from '../../../contract/templates/router.ts';
import type { Context } from '../context.ts';
import { changeProject, findOrMakeProject } from './project.ts';

const agent: Agent = { kind: 'exec', command: ['a'] };
const project = (more: Partial<WireProject>): WireProject => ({
  ...plainProject({ id: '11111111-2222-4333-8444-555555555555', name: 'todo' }),
  ...{ repository: '/srv/todo', agent: null, router: null },
  ...more,
});
/** A server with these projects, and a template of whatever name. */
const contextOf = ({ projects = [] }: { projects?: WireProject[] }): Context => {
  const request = async (method: string, path: string) => {
    if (method !== 'GET') throw new Error(`${method} ${path}`);
    return path === '/api/projects' ? { projects } : { id: 'careful@1', agent, fallback: [] };
  };
  return { client: { request } } as unknown as Context;
};
const some: Router = { routes: [{ types: ['bug'], template: 'careful' }] };
const all: Router = { ...some, default: 'quick' };
const each: Router = { routes: [...some.routes, { types: ['task', 'feature'], template: 'quick' }] };

describe('the project of a repository', () => {
  it('is not given an agent where its templates leave it nothing', async () => {
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
