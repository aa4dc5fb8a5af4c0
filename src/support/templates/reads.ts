import type { Tx } from '../../db/database.ts';
import { Fault } from '../../kernel/fault.ts';
import {
  type ListedRow,
  templatesOfTenant,
  templateVersion,
  templateVersionById,
  type VersionRow,
  versionsOfTemplate,
} from './templates.sql.ts';

interface Wanted {
  readonly name: string;
  /** Absent: the newest. */
  readonly version?: number | undefined;
  /** Whether one that was removed may be meant. */
  readonly isRemovedToo?: boolean;
}

export async function findVersion(tx: Tx, { name, version, isRemovedToo = false }: Wanted): Promise<VersionRow | undefined> {
  const [row] = await tx.query(templateVersion, [tx.tenantId, name, version ?? null, isRemovedToo]);
  return row;
}

/** The version by which a run is worked on: it never changes, and it stays when its template is removed. */
export async function getVersion(tx: Tx, id: string): Promise<VersionRow> {
  const [row] = await tx.query(templateVersionById, [tx.tenantId, id]);
  if (row === undefined) throw new Fault('template_not_found', { message: `There is no template ${id}` });
  return row;
}

/** Throws Fault `template_not_found`. A version that is named is found also where its template was removed. */
export async function getTemplate(tx: Tx, name: string, version?: number): Promise<VersionRow> {
  const found = await findVersion(tx, { name, version, isRemovedToo: version !== undefined });
  if (found !== undefined) return found;
  const newest = version === undefined ? undefined : await findVersion(tx, { name, isRemovedToo: true });
  throw new Fault('template_not_found', {
    message: `There is no template ${version === undefined ? name : `${name}@${version}`}`,
    hint: newest === undefined ? 'See: skep template list' : `Its newest version is ${newest.id}`,
  });
}

/** Of those that are not removed, the newest version. */
export function listTemplates(tx: Tx, limit: number): Promise<ListedRow[]> {
  return tx.query(templatesOfTenant, [tx.tenantId, limit]);
}

const historyMax = 500;

/** The newest versions of a template, the newest first; also of one that was removed. Throws Fault `template_not_found`. */
export async function templateHistory(tx: Tx, name: string): Promise<ListedRow[]> {
  const versions = await tx.query(versionsOfTemplate, [tx.tenantId, name, historyMax]);
  if (versions.length === 0) await getTemplate(tx, name);
  return versions;
}
