/** Projects: a repository with its settings. */
export type { ProjectRow } from './projects.sql.ts';
export { createProject, editProject, getProject, listProjects, projectNamed } from './verbs.ts';
