/** Projects: a repository with its settings. */
export type { ProjectRow } from './projects.sql.ts';
export { changeAgentModel, createProject, editProject, getProject, projectNamed } from './verbs.ts';
