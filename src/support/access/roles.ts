import type { roles } from '../../../contract/tokens.ts';

export type Role = (typeof roles)[number];

/** What a route asks of a token. */
export type Need = 'read' | 'write' | 'admin' | 'work';

const grants: Readonly<Record<Role, readonly Need[]>> = {
  admin: ['read', 'write', 'admin', 'work'],
  member: ['read', 'write', 'work'],
  viewer: ['read'],
  worker: ['work'],
};

export function mayDo(role: Role, need: Need): boolean {
  return grants[role].includes(need);
}

/** Least first, for whoever is told what to ask for. */
export function rolesThatMay(need: Need): Role[] {
  const all = Object.keys(grants) as Role[];
  return all.filter(role => mayDo(role, need)).reverse();
}
