/** Who may speak: tokens of a tenant with a role. Sign-in of people comes later and ends in the same Caller. */
export type { TokenRow } from './access.sql.ts';
export { mayDo, type Need, type Role } from './roles.ts';
export { authenticate, bootstrapAccess, type Caller, createToken, listTokens, revokeToken } from './verbs.ts';
