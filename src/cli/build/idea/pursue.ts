import { z } from 'zod';
import type { WireSession } from '../../../../contract/sessions.ts';
import { Fault } from '../../../kernel/fault.ts';
import { shortId } from '../../input/id.ts';
import { printable } from '../../output/text.ts';
import { Interrupted } from '../../report.ts';
import type { Beginning } from '../beginning.ts';
import { beginBuild } from '../session.ts';
import { answerQuestions } from './answer.ts';
import { decideOnSpec } from './decide.ts';
import { followPlanning } from './follow.ts';
import type { Idea } from './idea.ts';
import { openProgress } from './progress.ts';

/** Takes all the steps from where the session is to one that builds; each may have been taken before. */
export async function pursueIdea(beginning: Beginning, { session, project }: Idea): Promise<WireSession> {
  try {
    if (session.state !== 'approved') await plan(beginning, { session, project });
    return await beginning.steadily(at => beginBuild(at, session.id));
  } catch (error) {
    if (error instanceof Interrupted) sayInterrupted(beginning, session);
    throw error;
  }
}

async function plan(beginning: Beginning, { session, project }: Idea): Promise<void> {
  const step = (path: string, body: object) =>
    beginning.steadily(({ client }) => client.request('POST', `/api/hitl/${session.id}/${path}`, { body, schema: z.unknown() }));
  const progress = openProgress(beginning, project);
  await beginning.startWork();
  // What had stopped before is tried again; what is under way goes on.
  if (session.planning === null || session.planning.state === 'stopped') await step('generate-spec', {});
  try {
    for (;;) {
      const now = await followPlanning(beginning, session.id, progress);
      progress.pause();
      if (now.state === 'reviewing') {
        const decision = await decideOnSpec(beginning, { session: now, project });
        if (decision.kind === 'approved') return;
        await step('reject', { reason: decision.reason });
      } else if (now.planning?.state === 'asking') {
        await step('respond', { message: await answerQuestions(beginning, { session: now, project }) });
      } else throw hasStopped(beginning, now);
    }
  } finally {
    progress.pause();
  }
}

function hasStopped({ commands }: Beginning, { id, state, planning }: WireSession): Fault {
  if (planning?.state !== 'stopped')
    return new Fault('wrong_state', { message: `The session ${shortId(id)} is ${state}: it is planned no more` });
  return new Fault('failed', {
    message: `Planning has stopped in the phase ${planning.phase}: ${printable(planning.reason ?? 'for a reason unknown')}`,
    hint: `Mend that, and go on from there: ${commands.resume([shortId(id)])}`,
    facts: { session_id: id },
  });
}

function sayInterrupted({ world, commands, context, host }: Beginning, { id }: WireSession): void {
  const next = commands.resume([shortId(id)]);
  if (context.json) {
    const document = { event: 'interrupted', session_id: id, goes_on: host() !== undefined, next: [next] };
    world.out.write(`${JSON.stringify(document)}\n`);
    return;
  }
  const what = host() === undefined ? 'nothing is lost, and nothing goes on' : `the planning goes on at ${host()}`;
  world.err.write(`\nInterrupted before anything was built; ${what}.\n  ${next}\n`);
}
