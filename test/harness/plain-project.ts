import type { WireProject } from '../../contract/projects.ts';

/** A project as the server tells of it, with no agent and no setting of its own. */
export function plainProject({ id, name }: Pick<WireProject, 'id' | 'name'>): WireProject {
  const at = '2026-01-02T03:04:05.000Z';
  return {
    ...{ id, name, repository: null, agent: null, planner: null, checks: null },
    ...{ test_changes: 'ask', red_base: 'refuse', collisions: 'hold', labels: [], isolation: 'namespaces', network: [] },
    setup: null,
    router: null,
    ...{ created_at: at, updated_at: at },
  };
}
