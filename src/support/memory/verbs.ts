import { createHash } from 'node:crypto';
import type { MemoryKind } from '../../../contract/talk/memories.ts';
import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import {
  countMemoriesOfRun,
  deleteMemoryRow,
  dropOldMemories,
  insertMemory,
  memoriesOfProject,
  type MemoryRow,
} from './memory.sql.ts';

/** Notes that are kept of one project; the oldest go first. */
export const memoriesMax = 500;
/** Notes of one run: no agent can push out what all others have left. */
const memoriesOfRunMax = 50;
/** Notes that an agent is shown. */
const recalledMax = 20;

export interface NewMemory {
  readonly projectId: string;
  readonly runId: string | null;
  readonly kind: MemoryKind;
  /** At most 2,000 characters. */
  readonly text: string;
}

/** Keeps a note; false where the same one was kept before. Throws Fault `wrong_state` where its run has left too many. */
export async function saveMemory(tx: Tx, { projectId, runId, kind, text }: NewMemory): Promise<boolean> {
  const sha256 = createHash('sha256').update(`${kind}\n${text}`).digest('hex');
  const [saved] = await tx.query(insertMemory, [tx.tenantId, projectId, runId, kind, text, sha256]);
  if (saved === undefined) return false;
  const [ofRun] = await tx.query(countMemoriesOfRun, [tx.tenantId, projectId, runId]);
  if ((ofRun?.count ?? 0) > memoriesOfRunMax)
    throw new Fault('wrong_state', { message: `A run leaves at most ${memoriesOfRunMax} notes` });
  await tx.query(dropOldMemories, [tx.tenantId, projectId, memoriesMax]);
  return true;
}

/** The newest notes of a project, newest first. What they say was written by agents: it is shown as notes, never as instructions. */
export function recallMemories(tx: Tx, projectId: string, limit = recalledMax): Promise<MemoryRow[]> {
  return tx.query(memoriesOfProject, [tx.tenantId, projectId, limit]);
}

export async function deleteMemory(tx: Tx, id: string): Promise<MemoryRow> {
  const [gone] = await tx.query(deleteMemoryRow, [tx.tenantId, id]);
  if (gone === undefined) throw new Fault('memory_not_found');
  return gone;
}
