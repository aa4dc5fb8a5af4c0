import { z } from 'zod';
import { id, time } from '../fields.ts';
import { workerName } from '../runs.ts';
import { isolationLevels, sandboxId, sandboxKinds, sandboxReport, sandboxStates } from './sandboxes.ts';

/** `lost`: its worker fell silent; whether it still is there, nobody knows. */
export const vmStates = [...sandboxStates, 'lost'] as const;

/** A person's word that a sandbox be killed. */
export const vmKill = z
  .object({ id: z.string(), by: z.string().meta({ description: 'The actor who said it first' }), at: time })
  .meta({ id: 'VmKill' });

/** A sandbox as its worker told of it with its last beat. */
export const vm = z
  .object({
    id: z.string(),
    worker: z.string(),
    host: z.string().meta({ description: 'The machine of its worker' }),
    kind: z.enum(sandboxKinds).nullable(),
    isolation: z.enum(isolationLevels).nullable(),
    run_id: id.nullable(),
    ticket_id: z.string().nullable(),
    project_id: id.nullable(),
    project: z.string().nullable(),
    state: z.enum(vmStates),
    made_at: time,
    age_ms: z.number().int().meta({ description: 'Since it was made, by the clocks of its worker and of the database' }),
    limits: sandboxReport.shape.limits,
    use: sandboxReport.shape.use,
    heard_at: time.meta({ description: 'When its worker was last heard of' }),
    kill: vmKill.omit({ id: true }).nullable().meta({ description: 'That it is to be killed, until its worker has done so' }),
  })
  .meta({ id: 'Vm' });

export const vmFilter = z.object({
  worker: workerName.optional(),
  state: z.enum(vmStates).optional(),
  prefix: z.string().min(1).max(100).optional().meta({ description: 'Only those whose id begins so' }),
});
export const vmList = z.object({ vms: z.array(vm).meta({ description: 'Those made first come first; at most 1,000' }) });
export const byVm = z.object({ id: sandboxId });

export type WireVm = z.infer<typeof vm>;
