import type { PlanningPhase } from '../../contract/talk/planning.ts';
import type { RunTask } from '../../contract/runs.ts';
import { openPlanning } from '../../src/stages/specs/index.ts';
import { openSession } from '../../src/stages/sessions/index.ts';
import { taskOf } from '../../src/stages/runs/protocol/task.ts';
import type { ClaimedRun } from '../../src/stages/runs/queue/claim.ts';
import { submitRun } from '../../src/stages/runs/verbs.ts';
import { clarified, designed, required, tasked } from './plans.ts';
import type { Stages } from './stages.ts';

/** What a planning looks like from outside. */
export interface PlanningView {
  readonly session: string;
  readonly state: string;
  readonly phase: string;
  readonly rounds: number;
  readonly reason: string | null;
  readonly spec: string | null;
}

export interface Phase {
  readonly claimed: ClaimedRun;
  readonly task: RunTask;
  /** Hands in an output and has done what follows. */
  handIn(output: unknown): Promise<void>;
}

/** A session with an idea in a project with a planner, whose phases a test works on by hand as a worker would. */
export interface PlannedSession {
  readonly sessionId: string;
  /** Claims the run of the phase that is planned now; undefined where none waits. */
  claim(): Promise<Phase | undefined>;
  /** Claims it and hands in this, or what is good. Throws where it is another phase. */
  pass(phase: PlanningPhase, output?: unknown): Promise<Phase>;
  view(): Promise<PlanningView>;
  messages(): Promise<{ author: string; text: string; questions: unknown }[]>;
  /** Phase and state of each run, in the order in which they were queued. */
  runs(): Promise<string[]>;
}

export async function planForTests(stages: Stages, { repository }: { repository?: string } = {}): Promise<PlannedSession> {
  const { sql, projectId } = stages;
  await sql(`update projects set planner = '{"model": "recorded/demo"}', repository = $2 where id = $1`, [
    projectId,
    repository ?? null,
  ]);
  const { id: sessionId } = await stages.app(async tx => {
    const session = await openSession(tx, { description: 'A list of things to do\nwith dark mode', projectId });
    await openPlanning(tx, session);
    return session;
  });
  await stages.drain();

  async function claim(): Promise<Phase | undefined> {
    const claimed = await stages.claim({ capabilities: ['plan'] });
    if (claimed === undefined) return undefined;
    const { task } = await stages.app(tx => taskOf(tx, claimed.run));
    return {
      claimed,
      task,
      async handIn(output) {
        const holder = { runId: claimed.run.id, token: claimed.token };
        await stages.engine(tx => submitRun(tx, holder, { summary: '', output: output as Record<string, never> }));
        await stages.drain();
      },
    };
  }

  return {
    sessionId,
    claim,
    async pass(phase, output = good[phase]()) {
      const claimed = await claim();
      if (claimed?.task.plan?.phase !== phase)
        throw new Error(`${phase} is not what waits: ${claimed?.task.plan?.phase ?? 'nothing'}`);
      await claimed.handIn(output);
      return claimed;
    },
    async view() {
      const [row] = await sql<PlanningView>(
        `select s.state as session, p.state, p.phase, p.rounds, p.reason, x.status || ' ' || x.phase as spec
           from plannings p join sessions s on s.id = p.session_id left join specs x on x.session_id = s.id where s.id = $1`,
        [sessionId],
      );
      if (row === undefined) throw new Error('the planning is gone');
      return row;
    },
    messages: () =>
      sql('select author, text, questions from session_messages where session_id = $1 order by number', [sessionId]),
    async runs() {
      const rows = await sql<{ said: string }>(
        `select split_part(subject_id, ':', 2) || ' ' || state as said from runs where subject_type = 'spec_phase' order by created_at, id`,
      );
      return rows.map(({ said }) => said);
    },
  };
}

const good = { CLARIFY: clarified, REQUIREMENTS: required, DESIGN: designed, TASKS: tasked } as const;
