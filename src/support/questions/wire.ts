import { toWire } from '../../../contract/case.ts';
import type { WireQuestion } from '../../../contract/talk/questions.ts';
import type { QuestionRow } from './questions.sql.ts';

export function wireQuestion(row: QuestionRow): WireQuestion {
  return toWire(row);
}
