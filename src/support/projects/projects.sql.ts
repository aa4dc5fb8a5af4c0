import type { Agent } from '../../../contract/projects.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

export interface ProjectRow extends Omit<Tables['projects'], 'tenantId'> {
  agent: Agent | null;
}

const columns = 'id, name, repository, agent, created_at, updated_at';

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
  `insert into projects (tenant_id, name, repository, agent) values ($1, $2, $3, $4::jsonb)
   on conflict (tenant_id, name) do nothing returning ${columns}`,
);

export const updateProject = statement<ProjectRow>(
  'update_project',
  `update projects set repository = coalesce($3, repository), agent = coalesce($4::jsonb, agent), updated_at = now()
    where tenant_id = $1 and id = $2 returning ${columns}`,
);
