import { toWire } from '../../../contract/case.ts';
import type { WireBrake } from '../../../contract/fleet/brake.ts';
import type { BrakeRow } from './brake.sql.ts';

const neverPulled: WireBrake = { state: 'off', reason: '', pulled_by: '', pulled_at: null, due_at: null, pulls: 0 };

/** Where it was never pulled there is no row. */
export function wireBrake(row: BrakeRow | undefined): WireBrake {
  return row === undefined ? neverPulled : toWire(row);
}
