import { toWire } from '../../../contract/case.ts';
import type { WireRun } from '../../../contract/runs.ts';
import type { RunRow } from './runs.sql.ts';

export function wireRun(row: RunRow): WireRun {
  return toWire(row);
}
