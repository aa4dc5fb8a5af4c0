import { z } from 'zod';
import { commit, id, time, title } from './fields.ts';
import { check, redBase } from './projects.ts';

export const trunkStates = ['preparing', 'checking', 'ready', 'refused'] as const;

/** The branch of Skep's that the work of a spec is merged into, before it is pushed to the user's repository. */
export const trunk = z
  .object({
    id,
    project_id: id,
    spec_id: id.nullable(),
    branch: z.string(),
    state: z.enum(trunkStates),
    reason: z.string().nullable().meta({ description: 'Why it is refused' }),
    hint: z.string().nullable(),
    base_sha: commit.nullable().meta({ description: 'The commit of the repository that the work starts from' }),
    head_sha: commit.nullable(),
    published_sha: commit.nullable().meta({ description: 'What the branch of that name in the repository is at' }),
    publish_error: z.string().nullable(),
    checks: z.array(check),
    notes: z.array(z.string()),
    merge_count: z.number().int(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Trunk' });

export const trunkFilter = z.object({ spec_id: id.optional(), project_id: id.optional() });
export const trunkList = z.object({ trunks: z.array(trunk) });
export const trunkPrepare = z.strictObject({ red_base: redBase.optional() }).prefault({});

/** A look at a repository, before anything is built. */
export const inspection = z
  .object({
    repository: z.string().nullable(),
    commit: commit.nullable().meta({ description: 'null: it has no commit yet' }),
    branch: z.string().meta({ description: 'The branch that the finished work of a spec with this title will get' }),
    checks: z.array(check),
    notes: z.array(z.string()),
  })
  .meta({ id: 'Inspection' });
export const inspect = z
  .strictObject({ title: title.default('work').meta({ description: 'Of the spec that is to be built' }) })
  .prefault({});

export type WireTrunk = z.infer<typeof trunk>;
export type WireInspection = z.infer<typeof inspection>;
