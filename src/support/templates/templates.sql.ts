import type { Agent } from '../../../contract/projects.ts';
import type { TemplateLimits } from '../../../contract/templates/document.ts';
import type { ReportTool } from '../../../contract/talk/report-back.ts';
import type { Router } from '../../../contract/templates/router.ts';
import { statement } from '../../db/statement.ts';
import type { Tables } from '../../db/tables.gen.ts';

export interface VersionRow extends Omit<Tables['template_versions'], 'tenantId'> {
  readonly agent: Agent;
  readonly limits: TemplateLimits;
  /** Null: all. */
  readonly tools: ReportTool[] | null;
}

/** As it stands in a list, where nobody reads what was put: that may be very much of it. */
export type ListedRow = Omit<VersionRow, 'source'>;

const listed =
  'v.id, v.name, v.version, v.description, v.lineage, v.agent, v.prompt, v.tools, v.limits, v.fallback, v.created_at';
const columns = `${listed}, v.source`;

/** Of the templates that there are, each at its newest version. */
const newest = 'templates t join template_versions v on v.tenant_id = t.tenant_id and v.name = t.name and v.version = t.version';

export const templatesOfTenant = statement<ListedRow>(
  'templates_of_tenant',
  `select ${listed} from ${newest} where t.tenant_id = $1 and t.removed_at is null order by t.name limit $2`,
);

/** The newest of a name, or the version $3; also of what was removed where $4. */
export const templateVersion = statement<VersionRow>(
  'template_version',
  `select ${columns} from templates t join template_versions v on v.tenant_id = t.tenant_id and v.name = t.name
    where t.tenant_id = $1 and t.name = $2 and v.version = coalesce($3::int, t.version) and ($4::bool or t.removed_at is null)`,
);

export const templateVersionById = statement<VersionRow>(
  'template_version_by_id',
  `select ${columns} from template_versions v where v.tenant_id = $1 and v.id = $2`,
);

export const versionsOfTemplate = statement<ListedRow>(
  'versions_of_template',
  `select ${listed} from template_versions v where v.tenant_id = $1 and v.name = $2 order by v.version desc limit $3`,
);

export const insertTemplates = statement<object>(
  'insert_templates',
  'insert into templates (tenant_id, name) select $1, name from unnest($2::text[]) as n (name) order by name on conflict do nothing',
);

interface HeadRow {
  readonly name: string;
  readonly version: number;
  readonly isRemoved: boolean;
}

/** Who puts a version, takes a template away, or has something name it, waits here for each other. */
export const holdTemplates = statement<HeadRow>(
  'hold_templates',
  `select name, version, removed_at is not null as is_removed from templates
    where tenant_id = $1 and name = any ($2::text[]) order by name for no key update`,
);

export const insertVersion = statement<VersionRow>(
  'insert_template_version',
  `insert into template_versions as v (tenant_id, id, name, version, source, description, lineage, agent, prompt, limits, fallback, tools)
   values ($1, $2 || '@' || $3::int, $2, $3, $4, $5, $6, $7::jsonb, $8, $9::jsonb, $10, $11) returning ${columns}`,
);

/** It may have been removed: put again it is there again. */
export const setNewest = statement<object>(
  'set_newest_version',
  'update templates set version = $3, removed_at = null, updated_at = now() where tenant_id = $1 and name = $2',
);

export const removeTemplateRow = statement<object>(
  'remove_template',
  'update templates set removed_at = now(), updated_at = now() where tenant_id = $1 and name = $2',
);

export const countTemplates = statement<{ count: number }>(
  'count_templates',
  'select count(*) from templates where tenant_id = $1 and removed_at is null',
);

/** By its name, or by one of its versions. */
const names = (reference: string) => `(${reference} = $2::text or left(${reference}, length($2) + 1) = $2 || '@')`;
const routerNames = (router: string) => `(${names(`${router} ->> 'default'`)}
  or exists (select from jsonb_array_elements(${router} -> 'routes') as r (rule) where ${names(`r.rule ->> 'template'`)}))`;

/** All that the routers of a tenant name. */
const routed = (['projects', 'tenants'] as const)
  .map(table => {
    const ofTenant = table === 'projects' ? 'w.tenant_id = $1' : 'w.id = $1';
    return `select w.router ->> 'default' as reference from ${table} w where ${ofTenant}
            union select r.rule ->> 'template' from ${table} w, jsonb_array_elements(w.router -> 'routes') as r (rule) where ${ofTenant}`;
  })
  .join(' union ');

/**
 * Who names a template: routers, the newest versions of others that extend it or fall back to it, and older versions that do, where a
 * router stays at them.
 */
export const usersOfTemplate = statement<{ what: string; name: string }>(
  'users_of_template',
  `select 'project' as what, p.name from projects p where p.tenant_id = $1 and (${routerNames('p.router')})
   union all
   select 'tenant', t.name from tenants t where t.id = $1 and (${routerNames('t.router')})
   union all
   select 'template', t.name from ${newest} where t.tenant_id = $1 and t.removed_at is null
      and ($2 = any (v.fallback) or ${names('v.lineage[1]')})
   union all
   select 'template', v.id from template_versions v join (${routed}) as n on n.reference = v.id
    where v.tenant_id = $1 and $2 = any (v.fallback)
      and not exists (select from templates t where t.tenant_id = $1 and t.name = v.name and t.version = v.version)
   order by 1, 2 limit 100`,
);

export const routerOfTenant = statement<{ router: Router | null }>(
  'router_of_tenant',
  'select router from tenants where id = $1',
);

export const setRouterOfTenant = statement<object>('set_router_of_tenant', 'update tenants set router = $2::jsonb where id = $1');

/**
 * A breaker that could have been looked at for so long and was not says nothing any more: the server that had it may be gone, or may
 * not have been able to write that it closed.
 */
const breakerUnseenMax = '10 minutes';

/** Of these providers and models, those that are not asked for a while; whether it is time to look again says the database's clock. */
export const openBreakers = statement<{ provider: string; model: string; isDue: boolean }>(
  'open_breakers',
  `select b.provider, b.model, b.retry_at <= clock_timestamp() as is_due
     from unnest($2::text[], $3::text[]) as asked (provider, model)
     join breakers b on b.tenant_id = $1 and b.provider = asked.provider and b.model = asked.model
    where b.retry_at > clock_timestamp() - interval '${breakerUnseenMax}'`,
);
