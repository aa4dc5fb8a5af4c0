import { z } from 'zod';
import { repositoryPath } from '../projects.ts';

const filesMax = 1_000;

/** What an endpoint that is an agent answers to a ticket. */
export const endpointAnswer = z
  .object({
    status: z.enum(['done', 'failed']),
    summary: z.string().max(20_000).default('').meta({ description: 'For people: what was done, or what stood in the way' }),
    files: z
      .array(
        z.union([
          z.strictObject({ path: repositoryPath, content: z.string().nullable().meta({ description: 'null removes the file' }) }),
          z.strictObject({ path: repositoryPath, content_base64: z.base64() }),
        ]),
      )
      .max(filesMax)
      .default([])
      .meta({ description: 'Each as a whole' }),
  })
  .meta({ id: 'EndpointAnswer' });

export type EndpointAnswer = z.infer<typeof endpointAnswer>;
