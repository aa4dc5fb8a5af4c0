import { session as sessionSchema } from '../../../../contract/sessions.ts';
import type { WireSession } from '../../../../contract/sessions.ts';
import { isFault } from '../../../kernel/fault.ts';
import type { Beginning } from '../beginning.ts';
import type { Progress } from './progress.ts';

/** A word of the server's costs little, and who waits for a question waits no longer than that. */
const pollMs = 250;

/** Follows the planning of a session until a person is to act: to answer, to approve, or to mend what stopped it. */
export async function followPlanning(
  { world, steadily, signal }: Beginning,
  id: string,
  progress: Progress,
): Promise<WireSession> {
  for (;;) {
    signal.throwIfAborted();
    const session = await patiently(() =>
      steadily(({ client }) => client.request('GET', `/api/hitl/${id}`, { schema: sessionSchema, signal })),
    );
    if (session !== undefined) {
      progress.show(session);
      if (!isMoving(session)) return session;
    }
    await world.clock.sleep(pollMs, signal);
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
