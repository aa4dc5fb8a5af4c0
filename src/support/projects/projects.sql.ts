import type { NetworkRule } from '../../../contract/network/rules.ts';
import type { Agent, Check, Planner } from '../../../contract/projects.ts';
import type { IsolationLevel } from '../../../contract/fleet/sandboxes.ts';
import type { Router } from '../../../contract/templates/router.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

export interface ProjectRow extends Omit<Tables['projects'], 'tenantId'> {
  agent: Agent | null;
  planner: Planner | null;
  checks: Check[] | null;
  testChanges: 'ask' | 'allow';
  redBase: 'refuse' | 'leave_out';
  collisions: 'hold' | 'allow';
  isolation: IsolationLevel;
  network: NetworkRule[];
  setup: string[] | null;
  router: Router | null;
}

const columns =
  'id, name, repository, agent, planner, checks, test_changes, red_base, collisions, labels, isolation, network, setup, router, created_at, updated_at';

export const projectsOfTenant = statement<ProjectRow>(
  'projects_of_tenant',
  `select ${columns} from projects where tenant_id = $1 and ($2::text is null or name = $2) order by name`,
);

export const projectById = statement<ProjectRow>(
  'project_by_id',
  `select ${columns} from projects where tenant_id = $1 and id = $2`,
);

export const insertProject = statement<ProjectRow>(
  'insert_project',
  `insert into projects (tenant_id, name, repository, agent, checks, test_changes, red_base, planner, collisions, labels, isolation, network,
                         setup, router)
   values ($1, $2, $3, $4::jsonb, $5::jsonb, coalesce($6, 'ask'), coalesce($7, 'refuse'), $8::jsonb, coalesce($9, 'hold'), coalesce($10::text[], '{}'),
           coalesce($11, 'namespaces'), coalesce($12::jsonb, '[]'), $13::jsonb, $14::jsonb)
   on conflict (tenant_id, name) do nothing returning ${columns}`,
);

/** In one statement: what else the agent is may be changed at the same time. A project without an agent is left as it is. */
export const updateAgentModel = statement<ProjectRow>(
  'update_agent_model',
  `update projects set agent = agent || jsonb_build_object('model', $3::text), updated_at = now()
    where tenant_id = $1 and id = $2 and agent is not null returning ${columns}`,
);

/** What is null stays as it is; checks, the setup and the router may become null, so $15 to $17 say whether they are meant. */
export const updateProject = statement<ProjectRow>(
  'update_project',
  `update projects set repository = coalesce($3, repository), agent = coalesce($4::jsonb, agent),
          checks = case when $15 then $5::jsonb else checks end, test_changes = coalesce($6, test_changes),
          red_base = coalesce($7, red_base), planner = coalesce($8::jsonb, planner),
          collisions = coalesce($9, collisions), labels = coalesce($10::text[], labels), isolation = coalesce($11, isolation),
          network = coalesce($12::jsonb, network), setup = case when $16 then $13::jsonb else setup end,
          router = case when $17 then $14::jsonb else router end, updated_at = now()
    where tenant_id = $1 and id = $2 returning ${columns}`,
);
