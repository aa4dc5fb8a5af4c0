import { session as sessionSchema } from '../../../../contract/sessions.ts';
import type { WireSession } from '../../../../contract/sessions.ts';
import type { WireQuestion } from '../../../../contract/talk/questions.ts';
import { Fault, isFault } from '../../../kernel/fault.ts';
import { shortId } from '../../input/id.ts';
import type { Beginning } from '../beginning.ts';
import { answerer } from '../decide.ts';
import { openQuestionsOf } from '../follow/questions.ts';
import type { Progress } from './progress.ts';

/** A word of the server's costs little, and who waits for a question waits no longer than that. */
const pollMs = 250;
/** What a spent budget asks is rare. */
const questionPolls = 8;

/**
 * Follows the planning of a session until a person is to act: to answer, to approve, or to mend what stopped it. Throws Fault
 * `budget_spent` where a budget stops it and nobody here says what is to be done.
 */
export async function followPlanning(beginning: Beginning, id: string, progress: Progress): Promise<WireSession> {
  const { world, steadily, signal, context } = beginning;
  const answer = answerer(
    () => ({ world, context, signal }),
    () => progress.pause(),
  );
  for (let poll = 1; ; poll += 1) {
    signal.throwIfAborted();
    const session = await patiently(() =>
      steadily(({ client }) => client.request('GET', `/api/hitl/${id}`, { schema: sessionSchema, signal })),
    );
    if (session !== undefined) {
      progress.show(session);
      if (!isMoving(session)) return session;
      if (poll % questionPolls === 0) await patiently(() => askForBudget(beginning, session, answer));
    }
    await world.clock.sleep(pollMs, signal);
  }
}

/** A planning run whose budget is spent waits for a person, and says nothing of it itself. */
async function askForBudget(
  { context, commands }: Beginning,
  session: WireSession,
  answer: (question: WireQuestion) => Promise<void>,
): Promise<void> {
  const asker = { specId: session.spec_id, session, board: { row: () => undefined } };
  for (const question of await openQuestionsOf(context, asker)) {
    await answer(question);
    if (!(await openQuestionsOf(context, asker)).some(({ id }) => id === question.id)) continue;
    throw new Fault('budget_spent', {
      message: question.text,
      hint: `Answer: ${commands.skep('question', 'answer', shortId(question.id), 'raise:AMOUNT')}. Then go on: ${commands.resume([shortId(session.id)])}`,
      facts: { question_id: question.id, session_id: session.id },
    });
  }
}

/** What was planned and then rejected is planned again in a moment. */
function isMoving({ state, planning }: WireSession): boolean {
  return state === 'clarifying' && (planning?.state === 'working' || planning?.state === 'done');
}

/** Undefined where the server did not answer: it may in a moment. */
async function patiently<T>(step: () => Promise<T>): Promise<T | undefined> {
  try {
    return await step();
  } catch (error) {
    if (isFault(error) && error.kind.retry) return undefined;
    throw error;
  }
}
