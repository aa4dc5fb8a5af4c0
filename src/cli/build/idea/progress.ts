import type { PlanningPhase } from '../../../../contract/talk/planning.ts';
import type { WireProject } from '../../../../contract/projects.ts';
import type { WireSession } from '../../../../contract/sessions.ts';
import { styled } from '../../output/text.ts';
import type { Beginning } from '../beginning.ts';
import { recordedNote } from '../recorded.ts';
import { createScreen } from '../view/screen.ts';
import { clockText } from '../view/words.ts';

/** What is seen of planning while one waits for it. */
export interface Progress {
  show(session: WireSession): void;
  /** Takes away what would be in the way of a question. */
  pause(): void;
}

const words: Readonly<Record<PlanningPhase, string>> = {
  CLARIFY: 'looking for what is not clear',
  REQUIREMENTS: 'writing the requirements',
  DESIGN: 'designing',
  TASKS: 'cutting it into tickets',
};

/** A line of its own for each phase; on a terminal the one that is under way moves. */
export function openProgress({ world, context, options }: Beginning, { planner }: WireProject): Progress {
  const { out, clock } = world;
  const begun = clock.mono();
  const note = recordedNote(planner?.model);
  const isLive = !context.json && options.plain !== true && out.isTerminal && out.size?.() !== undefined;
  const screen = isLive ? createScreen(out, () => out.size?.() ?? { columns: 80, rows: 24 }) : undefined;
  let told = '';

  const line = (phase: PlanningPhase): string =>
    `${styled(out, 'dim', clockText(clock.mono() - begun).padStart(6))}  planning  ${words[phase]}${note}`;

  return {
    show({ id, state, planning }) {
      if (planning === null) return;
      const now = `${state} ${planning.state} ${planning.phase}`;
      const isNews = now !== told;
      told = now;
      if (context.json) {
        if (!isNews) return;
        const { phase, reason } = planning;
        out.write(`${JSON.stringify({ event: 'planning', session_id: id, state: planning.state, phase, reason })}\n`);
      } else if (planning.state === 'working' && screen !== undefined) screen.draw([line(planning.phase)]);
      else if (planning.state === 'working' && isNews) out.write(`${line(planning.phase)}\n`);
    },
    pause: () => screen?.clear(),
  };
}
