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

/** A file or folder of a repository, from its root. */
export const filePath = z
  .string()
  .min(1)
  .max(500)
  .refine(
    path => !/[\u0000-\u001f\u007f]/.test(path) && !/(^|\/)\.{0,2}(\/|$)/.test(path),
    'a file is named from the root of the repository, such as src/login.ts, without ./ before it or / after it',
  );
export const files = z.array(filePath).max(500);

export const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in lower-case hex');
export const commit = z.string().regex(/^[0-9a-f]{40}([0-9a-f]{24})?$/, 'a full commit id');

/** It comes from outside and goes into other people's terminals and git: letters that mean nothing to a shell, a name that git takes. */
export const branch = z
  .string()
  .regex(
    /^(?!.*(?:\.\.|\/\/|\/\.))(?!.*(?:\.lock|[./])(?:\/|$))[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/,
    'a branch name of letters, digits and . _ / -',
  );

/** Names what a machine has, such as `gpu` or `region=eu`; a project that asks for it is worked on only there. */
export const label = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._=/-]{0,63}$/, 'a label looks like gpu or region=eu');
export const labelsMax = 20;

/** The answer to every refusal. `error` says what was wrong; `hint` how to mend it; the fault's code is in the `skep-fault` header. */
export const errorBody = z
  .looseObject({
    error: z.string(),
    hint: z.string().optional(),
    issues: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  })
  .meta({ id: 'Error' });
