import type { Router } from '../../../contract/templates/router.ts';
import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { nameOf, versionOf } from './model/extend.ts';
import { findVersion } from './reads.ts';
import { holdTemplates, routerOfTenant, setRouterOfTenant } from './templates.sql.ts';

/** For projects that say nothing of templates, and have no agent of their own. */
export async function getRouter(tx: Tx): Promise<Router | null> {
  return (await tx.query(routerOfTenant, [tx.tenantId]))[0]?.router ?? null;
}

/** Throws Fault `template_not_found`. */
export async function setRouter(tx: Tx, router: Router | null): Promise<Router | null> {
  await requireTemplates(tx, router);
  await tx.query(setRouterOfTenant, [tx.tenantId, router === null ? null : JSON.stringify(router)]);
  tx.announce({ type: 'router.changed', subject: { type: 'tenant', id: tx.tenantId } });
  return router;
}

/** That all that a router names is there, and stays until the transaction ends. Throws Fault `template_not_found`. */
export async function requireTemplates(tx: Tx, router: Router | null): Promise<void> {
  if (router === null) return;
  const named = [...router.routes.map(({ template }) => template), router.default ?? []].flat();
  await tx.query(holdTemplates, [tx.tenantId, named.map(nameOf)]);
  for (const reference of named) {
    if ((await findVersion(tx, { name: nameOf(reference), version: versionOf(reference) })) === undefined)
      throw new Fault('template_not_found', { message: `There is no template ${reference}`, hint: 'See: skep template list' });
  }
}
