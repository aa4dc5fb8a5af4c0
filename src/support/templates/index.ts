/** Templates: named set-ups of agents, in versions that never change, and which of them works on what. */
export { versionOf } from './model/extend.ts';
export { getVersion } from './reads.ts';
export { requireTemplates } from './router.ts';
export { type ModelTargets, type Routed, routed } from './routing.ts';
