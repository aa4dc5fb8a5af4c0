import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { plainProject } from '../../../../test/harness/plain-project.ts';
import type { Agent } from '../../../../contract/projects.ts';
import type { Router } from '../../../../contract/templates/router.ts';
import type { WireSession } from '../../../../contract/sessions.ts';
import { systemClock } from '../../../kernel/clock.ts';
import { installFolder } from '../../../providers/agents/install/installs.ts';
import { packages } from '../../../providers/agents/install/packages.ts';
import type { InstalledKind } from '../../../providers/agents/install/packages.ts';
import type { Station } from '../../place/station.ts';
import type { World } from '../../world.ts';
import { ensureAgents } from './install.ts';

let folder: string;
let told: string[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skep-agents-'));
  told = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** One that has its program, and nothing more. */
function installed(kind: InstalledKind): void {
  const program = join(installFolder(folder, kind), packages[kind].program);
  mkdirSync(dirname(program), { recursive: true });
  writeFileSync(program, '');
}

const templates: Readonly<Record<string, readonly [Agent, ...string[]]>> = {
  careful: [{ kind: 'codex', model: 'o/m' }, 'spare'],
  spare: [{ kind: 'claude', model: 'a/m' }],
  quick: [{ kind: 'exec', command: ['a'] }],
};
const router: Router = { routes: [{ types: ['bug'], template: 'quick' }], default: 'careful' };
const project = {
  ...plainProject({ id: '11111111-2222-4333-8444-555555555555', name: 'todo' }),
  agent: { kind: 'pi', model: 'o/m' },
};

/** As before a build in that project. */
function ensure({ worksHere = true, routes = router }: { worksHere?: boolean; routes?: Router } = {}): Promise<void> {
  const request = async (_: string, path: string) => {
    if (path === `/api/projects/${project.id}`) return { ...project, router: routes };
    const name = path.slice('/api/templates/'.length);
    const [agent, ...fallback] = templates[name] ?? [];
    return { id: `${name}@1`, agent, fallback };
  };
  const station = { worksHere, context: { client: { request } }, gone: new AbortController().signal } as unknown as Station;
  const settings = { SKEP_HOME: folder, SKEP_AGENTS: folder, SKEP_SERVER: 'http://127.0.0.1:8080' };
  const world = { clock: systemClock, settings: async () => settings } as unknown as World;
  const session = { project_id: project.id } as WireSession;
  const signal = new AbortController().signal;
  return ensureAgents({ world, options: {}, signal }, { station, session, tell: text => told.push(text) });
}

/** A registry that nobody is. */
function withoutRegistry(): void {
  const settings = { registry: 'http://127.0.0.1:9/', fetch_retries: '0', cache: join(folder, 'npm-cache') };
  for (const [name, value] of Object.entries(settings)) process.env[`npm_config_${name}`] = value;
  onTestFinished(() => {
    for (const name of Object.keys(settings)) delete process.env[`npm_config_${name}`];
  });
}

it('installs what the route of features names, and says of which template one is that cannot be had', async () => {
  withoutRegistry();
  installed('claude');
  await expect(ensure()).rejects.toMatchObject({
    ...{ code: 'failed', facts: { template: 'careful@1', field: 'agent.kind' } },
    message: expect.stringMatching(
      /^The template careful@1, which works on what is a feature, cannot be used: agent\.kind: codex could not be installed: /,
    ),
    hint: expect.stringContaining('needs the npm registry'),
  });
  expect(told).toEqual([expect.stringMatching(/^installing @openai\/codex .* from the npm registry$/)]);
});

it('goes on without what only stands in, and says so', async () => {
  withoutRegistry();
  installed('codex');
  await ensure();
  expect(told).toEqual([
    expect.stringContaining('claude'),
    expect.stringMatching(/^The template spare@1, which stands in for careful@1, cannot be used: agent\.kind: claude/),
  ]);
});

it('says of the own agent of the project, where no route is for features, what npm says of it', async () => {
  withoutRegistry();
  const routes: Router = { routes: [{ types: ['bug'], template: 'careful' }] };
  await expect(ensure({ routes })).rejects.toThrow(/^pi could not be installed: /);
});

it('does nothing where all is there, and where the work is done elsewhere', async () => {
  await ensure({ worksHere: false });
  expect(readdirSync(folder)).toEqual([]);
  for (const kind of ['codex', 'claude'] as const) installed(kind);
  await ensure();
  expect(told).toEqual([]);
});
