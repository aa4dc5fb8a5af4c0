import { z } from 'zod';

/** Fields that several bodies share, each with its limit. */
export const id = z.uuid();
export const time = z.iso.datetime({ offset: true }).meta({ description: 'ISO 8601, UTC' });
export const title = z.string().trim().min(1).max(200);
export const text = z.string().max(100_000);
export const criteria = z.array(z.string().trim().min(1).max(2_000)).max(100);
export const ticketId = z
  .string()
  .regex(/^(TKT)-\d{3,9}$/, 'a ticket id looks like TKT-001')
  .meta({ description: 'TKT-001 and up, per tenant' });
export const cursor = z.string().max(100).meta({ description: 'Opaque: pass back what an answer gave' });
export const pageLimit = z.coerce.number().int().min(1).max(500).default(100);

export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex');
export const commit = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/, 'a full commit id');

/** It comes from outside and goes into other people's terminals and git: letters that mean nothing to a shell, a name that git takes. */
export const branch = z
  .string()
  .regex(
    /^(?!.*(?:\.\.|\/\/|\/\.))(?!.*(?:\.lock|[./])(?:\/|$))[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/,
    'a branch name of letters, digits and . _ / -',
  );

/** The answer to every refusal. `error` says what was wrong; `hint` how to mend it; the fault's code is in the `skep-fault` header. */
export const errorBody = z
  .looseObject({
    error: z.string(),
    hint: z.string().optional(),
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Error' });
