import { z } from 'zod';
import { id } from './fields.ts';
import { specPhases, specStatuses } from './sessions.ts';

export const executionStatus = z
  .object({
    spec_id: id,
    status: z.enum(specStatuses),
    phase: z.enum(specPhases),
    counts: z
      .record(z.string(), z.number().int())
      .meta({ description: 'Tickets per status; a status without tickets is left out' }),
    progress: z.object({ total: z.number().int(), completed: z.number().int(), percent: z.number().int() }),
  })
  .meta({ id: 'ExecutionStatus' });
