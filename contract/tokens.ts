import { z } from 'zod';
import { id, time, title } from './fields.ts';

/** What a token may do: admin all; member all but tokens; viewer only read; worker only the worker protocol. */
export const roles = ['admin', 'member', 'viewer', 'worker'] as const;
const role = z.enum(roles);

export const tokenCreate = z.strictObject({
  name: title,
  role,
  expires_in_s: z.number().int().min(60).max(31_622_400).optional().meta({ description: 'Seconds; absent: no end' }),
});
export const token = z
  .object({ id, name: z.string(), role, created_at: time, expires_at: time.nullable(), revoked_at: time.nullable() })
  .meta({ id: 'Token' });
export const tokenCreated = z.object({
  token,
  secret: z.string().meta({ description: 'Shown this once; stored only as a hash' }),
});
export const tokenList = z.object({ tokens: z.array(token) });
