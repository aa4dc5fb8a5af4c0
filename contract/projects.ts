import { z } from 'zod';
import { id, time, title } from './fields.ts';

/** The agent of a project. `exec` is a command of the user's own; the ticket comes as JSON on stdin and in $SKEP_TICKET. */
export const agent = z
  .strictObject({
    kind: z.literal('exec'),
    command: z.array(z.string().max(10_000)).min(1).max(100).meta({ description: 'Program and arguments; not a shell string' }),
    timeout_ms: z.number().int().min(100).max(86_400_000).optional().meta({ description: 'Wall clock of one run, milliseconds' }),
  })
  .meta({ id: 'Agent' });

/** A path on the workers' machine or a URL that git can clone. `ext::` and the like are refused: they run commands. */
const repository = z
  .string()
  .trim()
  .min(1)
  .max(1_000)
  .refine(value => value.startsWith('/') || /^(https?|ssh|git|file):\/\/[^-]/.test(value), {
    error: 'give an absolute path, or a URL that starts with https://, http://, ssh://, git:// or file://',
  });

export const projectCreate = z.strictObject({ name: title, repository: repository.optional(), agent: agent.optional() });
export const projectEdit = z
  .strictObject({ repository, agent })
  .partial()
  .refine(value => Object.keys(value).length > 0, { error: 'give at least one field to change: repository or agent' });

export const project = z
  .object({
    id,
    name: z.string(),
    repository: z.string().nullable(),
    agent: agent.nullable(),
    created_at: time,
    updated_at: time,
  })
  .meta({ id: 'Project' });

export const projectList = z.object({ projects: z.array(project) });

export type Agent = z.infer<typeof agent>;
export type WireProject = z.infer<typeof project>;
