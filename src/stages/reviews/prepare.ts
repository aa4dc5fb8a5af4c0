import type { Tx } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { type Fault, isFault } from '../../kernel/fault.ts';
import { getProject } from '../../support/projects/index.ts';
import {
  baseTrunk,
  checkTrunk,
  getTrunk,
  readyTrunk,
  refuseTrunk,
  type TrunkStart,
  type TrunkRow,
} from '../../support/repositories/index.ts';
import { lookAt } from './look.ts';
import { beginReview } from './open.ts';
import { flowScope, type ReviewParts } from './parts.ts';
import { insertReview } from './reviews.sql.ts';

/**
 * Brings the commit that work starts from into Skep's own copy of the repository, finds the checks there, and has them run on it,
 * before any agent does. What hinders is told to a person: the trunk is refused. Safe to run twice.
 */
export async function prepareTrunk(parts: ReviewParts, tenantId: string, trunkId: string): Promise<void> {
  const { database } = parts;
  const scope = flowScope(tenantId);
  const trunk = await database.engine(scope, tx => getTrunk(tx, trunkId));
  if (trunk.state !== 'preparing') return;
  try {
    const project = await database.engine(scope, tx => getProject(tx, trunk.projectId));
    const found = await lookAt(parts, project, trunk.branch);
    const isLate = await database.engine(scope, async tx => {
      const { updatedAt } = await getProject(tx, trunk.projectId);
      if (updatedAt.getTime() !== project.updatedAt.getTime()) return true;
      await beginFrom(tx, trunkId, found);
      failpoint('trunk-based');
      return false;
    });
    // Another repository was set meanwhile, or other checks: this was a look at the wrong one.
    if (isLate) await prepareTrunk(parts, tenantId, trunkId);
  } catch (error) {
    if (!isFault(error) || !refusals.has(error.code)) throw error;
    const why = { reason: error.message, hint: error.hint ?? 'Mend it, and go on with: skep build --resume' };
    await database.engine(scope, tx => refuseTrunk(tx, trunkId, why));
  }
}

/** What a person can mend; all else is tried again by itself. */
const refusals: ReadonlySet<Fault['code']> = new Set(['repository_unavailable', 'branch_exists', 'push_refused'] as const);

async function beginFrom(tx: Tx, trunkId: string, found: TrunkStart): Promise<void> {
  const based = await baseTrunk(tx, trunkId, found);
  if (based === undefined) return;
  if (found.checks.length === 0) await readyTrunk(tx, trunkId);
  else if ((await checkTrunk(tx, trunkId)) !== undefined) await reviewBase(tx, based);
}

async function reviewBase(tx: Tx, trunk: TrunkRow): Promise<void> {
  const { baseSha } = trunk;
  const [review] = await tx.query(insertReview, [tx.tenantId, 'base', trunk.id, null, null, baseSha, baseSha, baseSha, '[]']);
  if (review !== undefined) await beginReview(tx, review, trunk);
}
