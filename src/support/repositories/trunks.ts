import type { Check } from '../../../contract/projects.ts';
import type { News } from '../../../contract/events.ts';
import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import { move } from '../../kernel/machine.ts';
import { branchFor, freeBranch, trunkMachine, type TrunkVerb } from './model/trunk.ts';
import {
  branchesOfProject,
  insertTrunk,
  moveTrunkRow,
  setTrunkBase,
  setTrunkChecks,
  setTrunkRedBase,
  trunkById,
  trunkForUpdate,
  trunkOfWork,
  trunksFiltered,
  type TrunkRow,
} from './trunks.sql.ts';

/** Whose work a trunk takes: a spec's, or that of a project's tickets without one. */
export interface TrunkOwner {
  readonly projectId: string;
  readonly specId: string | null;
}

const listMax = 500;
const branchTriesMax = 100;

export async function findTrunk(tx: Tx, { projectId, specId }: TrunkOwner): Promise<TrunkRow | undefined> {
  const [trunk] = await tx.query(trunkOfWork, [tx.tenantId, projectId, specId]);
  return trunk;
}

/** Opens the trunk of work that is about to begin, named after `title`; where it is open already nothing happens. */
export async function openTrunk(
  tx: Tx,
  { projectId, specId, title, redBase }: TrunkOwner & { readonly title: string; readonly redBase: TrunkRow['redBase'] },
): Promise<void> {
  for (let tries = 0; tries < branchTriesMax; tries++) {
    const branch = await branchToBe(tx, projectId, title);
    const [trunk] = await tx.query(insertTrunk, [tx.tenantId, projectId, specId, branch, redBase]);
    if (trunk !== undefined) return announceTrunk(tx, trunk, { type: 'trunk.opened' });
    if ((await findTrunk(tx, { projectId, specId })) !== undefined) return;
    // Another spec of that name took the branch at this very moment.
  }
  throw new Error(`no branch for "${title}" was free in ${branchTriesMax} tries`);
}

/** The branch that a trunk of this title would get now. */
export async function branchToBe(tx: Tx, projectId: string, title: string): Promise<string> {
  const taken = await tx.query(branchesOfProject, [tx.tenantId, projectId]);
  return freeBranch(branchFor(title), new Set(taken.map(row => row.branch)));
}

export async function getTrunk(tx: Tx, id: string): Promise<TrunkRow> {
  const [trunk] = await tx.query(trunkById, [tx.tenantId, id]);
  if (trunk === undefined) throw new Fault('trunk_not_found');
  return trunk;
}

/** The trunk, locked until the transaction ends; first of all locks. */
export async function holdTrunk(tx: Tx, id: string): Promise<TrunkRow> {
  const [trunk] = await tx.query(trunkForUpdate, [tx.tenantId, id]);
  if (trunk === undefined) throw new Fault('trunk_not_found');
  return trunk;
}

export function listTrunks(tx: Tx, filter: { specId?: string | undefined; projectId?: string | undefined }): Promise<TrunkRow[]> {
  return tx.query(trunksFiltered, [tx.tenantId, filter.specId ?? null, filter.projectId ?? null, listMax]);
}

export interface TrunkStart {
  readonly commit: string;
  readonly objectFormat: TrunkRow['objectFormat'];
  readonly checks: readonly Check[];
  readonly notes: readonly string[];
}

/** The work starts from this commit; what was fetched before is of no more interest. Undefined where it does not prepare. */
export async function baseTrunk(tx: Tx, id: string, base: TrunkStart): Promise<TrunkRow | undefined> {
  const values = [base.commit, base.objectFormat, JSON.stringify(base.checks), JSON.stringify(base.notes)];
  const [trunk] = await tx.query(setTrunkBase, [tx.tenantId, id, ...values]);
  return trunk;
}

/** Its checks run on the base commit now. */
export function checkTrunk(tx: Tx, id: string): Promise<TrunkRow | undefined> {
  return moveTrunk(tx, id, { verb: 'check' });
}

/** Work may begin. */
export async function readyTrunk(tx: Tx, id: string): Promise<TrunkRow | undefined> {
  const trunk = await moveTrunk(tx, id, { verb: 'open' });
  if (trunk !== undefined) announceTrunk(tx, trunk, { type: 'trunk.ready', base: trunk.baseSha });
  return trunk;
}

/** Work cannot begin until a person has mended what `reason` says. */
export async function refuseTrunk(tx: Tx, id: string, why: { reason: string; hint: string }): Promise<TrunkRow | undefined> {
  const trunk = await moveTrunk(tx, id, { verb: 'refuse', ...why });
  if (trunk !== undefined) announceTrunk(tx, trunk, { type: 'trunk.refused', ...why });
  return trunk;
}

/** Leaves checks out that are of no use on this base. */
export async function keepChecks(
  tx: Tx,
  id: string,
  kept: { checks: readonly Check[]; notes: readonly string[] },
): Promise<void> {
  await tx.query(setTrunkChecks, [tx.tenantId, id, JSON.stringify(kept.checks), JSON.stringify(kept.notes)]);
}

/** Tries again what was refused, by a person's word; with `redBase` more lenient than before. Throws Fault `wrong_state`. */
export async function prepareAgain(tx: Tx, id: string, redBase: TrunkRow['redBase'] | undefined): Promise<TrunkRow> {
  const { state } = await holdTrunk(tx, id);
  if (redBase !== undefined) await tx.query(setTrunkRedBase, [tx.tenantId, id, redBase]);
  const trunk = await moveTrunk(tx, id, { verb: 'prepare' });
  if (trunk === undefined) {
    throw new Fault('wrong_state', {
      message: `A trunk that is ${state} cannot be prepared again`,
      facts: { currentState: state },
    });
  }
  announceTrunk(tx, trunk, { type: 'trunk.opened' });
  return trunk;
}

export function announceTrunk(tx: Tx, trunk: TrunkRow, { type, ...news }: News): void {
  const { id, specId, branch, state } = trunk;
  tx.announce({ type, subject: { type: 'trunk', id }, payload: { specId, branch, state, ...news } });
}

async function moveTrunk(
  tx: Tx,
  id: string,
  { verb, reason, hint }: { verb: TrunkVerb; reason?: string; hint?: string },
): Promise<TrunkRow | undefined> {
  const { to, from } = move(trunkMachine, verb);
  const [trunk] = await tx.query(moveTrunkRow, [tx.tenantId, id, to, from, reason ?? null, hint ?? null]);
  return trunk;
}
