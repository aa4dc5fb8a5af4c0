import { z } from 'zod';
import { modelName } from '../projects.ts';

/** Ways of asking a model; see docs/gateway.md. */
export const wires = ['anthropic', 'chat', 'responses', 'gemini'] as const;

export const modelFilter = z.object({
  name: modelName.optional().meta({ description: 'Only this one; refused with what to do about it where it cannot be asked' }),
  wire: z.enum(wires).optional().meta({ description: 'Over which it is to be asked; absent: over any' }),
});

export const model = z
  .object({
    name: z.string(),
    wires: z.array(z.enum(wires)).meta({ description: 'Over which it can be asked' }),
    is_recorded: z.boolean().meta({ description: 'It plays a recording: no model is asked, and nothing is paid' }),
  })
  .meta({ id: 'Model' });
export const modelList = z.object({ models: z.array(model) });

export type WireModel = z.infer<typeof model>;
