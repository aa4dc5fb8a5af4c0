import type { WireVm } from '../../../contract/fleet/vms.ts';
import type { Tx } from '../../db/database.ts';
import { noSandbox } from '../../support/fleet/index.ts';
import { type VmRow, vmsOfTenant } from './vms.sql.ts';

interface Filter {
  readonly worker?: string | undefined;
  readonly state?: WireVm['state'] | undefined;
  /** The beginning of an id. */
  readonly prefix?: string | undefined;
}

const listMax = 1_000;
const lostShownS = 3_600;

/** The sandboxes that workers tell of, those made first come first; at most 1,000. */
export async function listVms(tx: Tx, { worker, state, prefix }: Filter): Promise<WireVm[]> {
  const values = [worker ?? null, state ?? null, prefix ?? null, listMax, lostShownS];
  return (await tx.query(vmsOfTenant, [tx.tenantId, ...values])).map(wireVm);
}

/** Throws Fault `sandbox_not_found`. */
export async function getVm(tx: Tx, id: string): Promise<WireVm> {
  const found = (await listVms(tx, { prefix: id })).find(vm => vm.id === id);
  if (found === undefined) throw noSandbox(id);
  return found;
}

function wireVm(row: VmRow): WireVm {
  const { id, worker, host, kind, isolation, state, project, limits } = row;
  const kill = row.killedBy === null || row.killedAt === null ? null : { by: row.killedBy, at: row.killedAt.toISOString() };
  return {
    ...{ id, worker, host, kind, isolation, run_id: row.runId, ticket_id: row.ticketId, project_id: row.projectId, project },
    ...{ state, made_at: row.madeAt, age_ms: Math.max(0, row.now.getTime() - Date.parse(row.madeAt)), limits, use: row.used },
    ...{ heard_at: row.heardAt.toISOString(), kill },
  };
}
