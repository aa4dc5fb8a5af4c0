/** Projects: a repository with its settings. */
export { createProject, editProject, getProject, projectNamed } from './verbs.ts';
