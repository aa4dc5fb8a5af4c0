import type { WireProject } from '../../../../contract/projects.ts';
import type { WireSession } from '../../../../contract/sessions.ts';

/** An idea on its way to a spec: the conversation, and the project that it is for. */
export interface Idea {
  readonly session: WireSession;
  readonly project: WireProject;
}
