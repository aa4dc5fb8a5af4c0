/** Git on the host: hardened, bounded in time and output, and only for repositories that the host owns. */
export { clearLocks, createHostGit, wordsOf } from './git.ts';
export type { GitAnswer, GitOptions, HostGit } from './git.ts';
export { findLocal } from './local.ts';
export type { Local } from './local.ts';
export { isBranchName, isObjectId, isSkepRef } from './names.ts';
export { parseRemote } from './remote.ts';
export { visible, withoutControls } from './words.ts';
