import { z } from 'zod';
import { id, time } from '../fields.ts';
import { workerName } from '../runs.ts';

/** Of what at most so many runs are held at once: everything, one project, one kind of agent, one worker. */
export const limitScopes = ['tenant', 'project', 'agent', 'worker'] as const;

const idOfScope = {
  tenant: z.literal(''),
  project: id,
  agent: z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/),
  worker: workerName,
} as const;
const idHints = {
  tenant: 'of the tenant itself there is no scope_id',
  project: 'give the id of a project',
  agent: 'give the kind of an agent, such as codex',
  worker: 'give the name of a worker',
} as const;

const owner = {
  scope: z.enum(limitScopes),
  scope_id: z.string().max(200).default('').meta({ description: 'What of that scope; nothing for the tenant' }),
};

const ofScope = ({ scope, scope_id }: { scope: (typeof limitScopes)[number]; scope_id: string }, context: z.RefinementCtx) => {
  if (idOfScope[scope].safeParse(scope_id).success) return;
  context.addIssue({ code: 'custom', path: ['scope_id'], message: idHints[scope] });
};

export const limitPut = z
  .strictObject({ ...owner, runs_max: z.number().int().min(0).max(10_000).meta({ description: '0 holds all claims back' }) })
  .superRefine(ofScope);
export const limitDelete = z.object(owner).superRefine(ofScope);

export const limit = z
  .object({
    scope: z.enum(limitScopes),
    scope_id: z.string(),
    runs_max: z.number().int(),
    runs_held: z.number().int().meta({ description: 'Now' }),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'RunLimit' });
export const limitList = z.object({ limits: z.array(limit) });

export type WireLimit = z.infer<typeof limit>;
