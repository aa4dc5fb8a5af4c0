import {
  budget,
  budgetFilter,
  budgetList,
  budgetPut,
  costFilter,
  costs as costsSchema,
  microUsd,
  usdText,
  type WireBudget,
} from '../../../contract/models/budgets.ts';
import type { Database } from '../../db/database.ts';
import { type Api, byId, callerOf } from '../../http/route.ts';
import type { BudgetRow } from './budgets.sql.ts';
import { costs, costsCsv } from './costs.ts';
import { listBudgets, removeBudget, setBudget } from './verbs.ts';

const read = { need: 'read' } as const;
const write = { need: 'write' } as const;

export function budgetRoutes(app: Api, database: Database): void {
  app.get('/budgets', { config: read, schema: { querystring: budgetFilter, response: { 200: budgetList } } }, async request => {
    const { scope, scope_id: scopeId, limit } = request.query;
    const rows = await database.request(callerOf(request), tx => listBudgets(tx, { scope, scopeId, limit }));
    return { budgets: rows.map(wireBudget) };
  });

  app.put('/budgets', { config: write, schema: { body: budgetPut, response: { 200: budget } } }, async request => {
    const { scope, scope_id: scopeId, cap_usd: capUsd = null, cap_tokens: capTokens = null } = request.body;
    const capMicroUsd = capUsd === null ? null : microUsd(capUsd);
    return wireBudget(await database.request(callerOf(request), tx => setBudget(tx, { scope, scopeId, capMicroUsd, capTokens })));
  });

  app.delete('/budgets/:id', { config: write, schema: { params: byId, response: { 200: budget } } }, async request =>
    wireBudget(await database.request(callerOf(request), tx => removeBudget(tx, request.params.id))),
  );

  app.get(
    '/costs',
    { config: read, schema: { querystring: costFilter, response: { 200: costsSchema } } },
    async (request, reply) => {
      const { by, project_id: projectId, spec_id: specId, ticket_id: ticketId, run_id: runId, ...rest } = request.query;
      const { since, until, format } = rest;
      const query = { by, projectId, specId, ticketId, runId, since, until };
      const found = await database.request(callerOf(request), tx => costs(tx, query));
      if (format === 'json') return found;
      return reply
        .type('text/csv; charset=utf-8')
        .serializer(String)
        .send(costsCsv(found) as never);
    },
  );
}

function wireBudget(row: BudgetRow): WireBudget {
  const { capMicrousd, spentMicrousd, reservedMicrousd } = row;
  return {
    id: row.id,
    scope: row.scope,
    scope_id: row.scopeId,
    name: row.name,
    template_id: row.templateId,
    cap_usd: capMicrousd === null ? null : usdText(capMicrousd),
    cap_tokens: row.capTokens,
    spent_usd: usdText(spentMicrousd),
    spent_tokens: row.spentTokens,
    reserved_usd: usdText(reservedMicrousd),
    reserved_tokens: row.reservedTokens,
    level: row.level,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  };
}
