/** Who may speak: tokens of a tenant with a role. Sign-in of people comes later and ends in the same Caller. */
export { mayDo, type Need, type Role, rolesThatMay } from './roles.ts';
export { authenticate, bootstrapAccess, type Caller, createToken, revokeToken } from './verbs.ts';
