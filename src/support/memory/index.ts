/** Memory: what agents note for those who work on the same project later. */
export { recallMemories, saveMemory } from './verbs.ts';
