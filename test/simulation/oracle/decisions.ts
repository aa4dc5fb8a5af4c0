import { changesOf, type Rule, type Violate } from './types.ts';

export interface Decisions extends Rule {
  /** How often a change was rejected. */
  readonly rejected: number;
}

/** What people decide: of approve and reject one wins, and a session is built once. */
export function createDecisions(violate: Violate): Decisions {
  let rejected = 0;
  const decided = new Map<string, string>();
  return {
    look(commit, now) {
      for (const { before, after } of changesOf(commit, 'changes')) {
        if (before === undefined || after === undefined || before.approval === after.approval) continue;
        const isSame = before.run_id === after.run_id && before.head_sha === after.head_sha;
        if (!isSame) continue;
        const key = `${after.id} ${after.head_sha} ${after.run_id}`;
        const earlier = decided.get(key);
        if (before.approval !== 'needed' || earlier !== undefined)
          violate(
            'one decision wins',
            `the change of ${after.ticket_id} is ${after.approval} after it was ${earlier ?? before.approval}`,
          );
        decided.set(key, after.approval);
        if (after.approval === 'not_needed') rejected += 1;
      }
      if (changesOf(commit, 'tickets').some(({ before }) => before === undefined)) countEpics(now.all('tickets'));
      if (changesOf(commit, 'trunks').some(({ before }) => before === undefined)) {
        const specs = now.all('trunks').map(({ spec_id, project_id }) => String(spec_id ?? project_id));
        if (new Set(specs).size < specs.length) violate('a session is built once', 'one spec has two trunks');
      }
    },
    get rejected() {
      return rejected;
    },
  };

  function countEpics(tickets: readonly { readonly type: string; readonly session_id: string | null }[]): void {
    const sessions = tickets.flatMap(({ type, session_id }) => (type === 'epic' && session_id !== null ? [session_id] : []));
    if (new Set(sessions).size < sessions.length) violate('a session is built once', 'one session has two epics');
  }
}
