import { toWire } from '../../../contract/case.ts';
import type { WireRun, WireRunDetail } from '../../../contract/runs.ts';
import type { RunDetailRow } from './reads.sql.ts';
import type { RunRow } from './runs.sql.ts';

export function wireRun(row: RunRow): WireRun {
  return toWire(row);
}

export function wireRunDetail(row: RunDetailRow): WireRunDetail {
  return toWire(row);
}
