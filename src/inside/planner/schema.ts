import { jsonSchema } from 'ai';
import type { FlexibleSchema } from 'ai';
import { z } from 'zod';
import { phaseOutputs } from '../../../contract/talk/planning.ts';
import type { PlanningPhase } from '../../../contract/talk/planning.ts';

/** What not every provider takes in a schema; it is looked at when the answer is here. */
const dropped: ReadonlySet<string> = new Set([
  ...['$schema', 'minLength', 'maxLength', 'pattern', 'format', 'minItems', 'maxItems', 'minimum', 'maximum'],
  ...['exclusiveMinimum', 'exclusiveMaximum'],
]);

/** The shape that a phase must answer in, as far as all providers take it. What comes back is held against the whole of it. */
export function schemaOf(phase: PlanningPhase): FlexibleSchema<object> {
  const schema = phaseOutputs[phase];
  return jsonSchema<object>(plain(z.toJSONSchema(schema)), {
    validate(value) {
      const parsed = schema.safeParse(value);
      return parsed.success
        ? { success: true, value: parsed.data }
        : { success: false, error: new Error(z.prettifyError(parsed.error)) };
    },
  });
}

function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([key, child]) => !(dropped.has(key) && typeof child !== 'object'));
  return Object.fromEntries(kept.map(([key, child]) => [key, plain(child)]));
}
