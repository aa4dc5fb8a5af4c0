import { z } from 'zod';
import { id, pageLimit, time } from '../fields.ts';

export const memoryKinds = ['error_fix', 'discovery', 'decision', 'warning', 'knowledge'] as const;
export const memoryTextMax = 2_000;

/** What an agent noted for those who work on the project later. */
export const memory = z
  .object({ id, project_id: id, run_id: id.nullable(), kind: z.enum(memoryKinds), text: z.string(), created_at: time })
  .meta({ id: 'Memory' });
export const memoryFilter = z.object({ project_id: id, limit: pageLimit });
export const memoryList = z.object({ memories: z.array(memory) });

export type MemoryKind = (typeof memoryKinds)[number];
export type WireMemory = z.infer<typeof memory>;
