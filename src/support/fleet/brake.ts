import type { EventType } from '../../../contract/events.ts';
import type { Tx } from '../../db/database.ts';
import { failpoint } from '../../kernel/failpoint.ts';
import { brakeOfTenant, type BrakeRow, easeBrakeRow, holdBrakeRow, liftBrakeRow, pullBrakeRow } from './brake.sql.ts';
import { wakeClaims } from './wake.ts';

interface BrakePull {
  /** Why, in a sentence that a person reads. */
  readonly reason: string;
  /** `storm`, or the actor who did it. */
  readonly by: string;
  /** After how many milliseconds it is tried whether things work again; null: when a person lifts it. */
  readonly dueMs: number | null;
}

/**
 * Holds back all claims of the tenant; what runs goes on. One that is on already stays as it is, and tells nothing, unless it
 * would end by itself and `dueMs` is null: a person's word stands above a storm's. From `trying` it counts as pulled once more in a row.
 */
export async function pullBrake(tx: Tx, { reason, by, dueMs }: BrakePull): Promise<BrakeRow> {
  const [pulled] = await tx.query(pullBrakeRow, [tx.tenantId, reason, by, dueMs]);
  if (pulled === undefined) return present(await getBrake(tx));
  announceBrake(tx, 'brake.pulled', pulled);
  failpoint('brake-pulled');
  return pulled;
}

/** Where its time has come: one run at a time may be claimed from here on. Undefined where it was not on, or not due. */
export async function easeBrake(tx: Tx): Promise<BrakeRow | undefined> {
  const [eased] = await tx.query(easeBrakeRow, [tx.tenantId]);
  if (eased === undefined) return undefined;
  announceBrake(tx, 'brake.eased', eased);
  await wakeClaims(tx);
  return eased;
}

const pulledStates: readonly BrakeRow['state'][] = ['on', 'trying'];

/**
 * Claims are free again, and the next pull is the first in a row. `from` says of which states that is meant: a run that was handed in
 * lifts only a brake that is trying. Undefined where there was nothing to lift.
 */
export async function liftBrake(tx: Tx, from: readonly BrakeRow['state'][] = pulledStates): Promise<BrakeRow | undefined> {
  const [lifted] = await tx.query(liftBrakeRow, [tx.tenantId, from]);
  if (lifted === undefined) return undefined;
  announceBrake(tx, 'brake.lifted', lifted);
  await wakeClaims(tx);
  return lifted;
}

/** Undefined where it was never pulled. */
export async function getBrake(tx: Tx): Promise<BrakeRow | undefined> {
  const [brake] = await tx.query(brakeOfTenant, [tx.tenantId]);
  return brake;
}

/** The same, and nobody changes it until the transaction ends: a person's word is not undone by what was seen before it. */
export async function holdBrake(tx: Tx): Promise<BrakeRow | undefined> {
  const [brake] = await tx.query(holdBrakeRow, [tx.tenantId]);
  return brake;
}

function announceBrake(tx: Tx, type: EventType, { state, reason, pulledBy, pulls, dueAt }: BrakeRow): void {
  const payload = { state, reason, pulledBy, pulls, dueAt: dueAt?.toISOString() ?? null };
  tx.announce({ type, subject: { type: 'fleet', id: tx.tenantId }, payload });
}

function present(brake: BrakeRow | undefined): BrakeRow {
  if (brake === undefined) throw new Error('the brake is neither pulled nor there');
  return brake;
}
