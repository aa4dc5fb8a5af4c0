import { askUnless } from '../../input/ask.ts';
import { Interrupted } from '../../report.ts';
import { cardOf, specOf } from '../../session/find.ts';
import type { Beginning } from '../beginning.ts';
import { planDocument, planText } from '../plan.ts';
import { inspect } from '../project.ts';
import { isRecorded } from '../recorded.ts';
import { otherBuilds } from '../session.ts';
import { worksOf } from '../works/works.ts';
import type { Idea } from './idea.ts';
import { specDocument, specText } from './spec.ts';

export type Decision = { readonly kind: 'approved' } | { readonly kind: 'rejected'; readonly reason: string };

/**
 * Shows the spec and what would be built of it, and asks. Throws Interrupted where the person wants to decide later: the spec waits.
 */
export async function decideOnSpec(beginning: Beginning, idea: Idea): Promise<Decision> {
  const { context, options, world, signal } = beginning;
  const { session, project } = idea;
  await showSpec(beginning, idea);
  if (options.yes === true || !context.isTerminal || context.json) {
    sayApproved(beginning, session.id);
    return { kind: 'approved' };
  }
  const recorded = isRecorded(project.planner?.model) ? ' (recorded demo: it plans the same again)' : '';
  for (;;) {
    const answer = await askUnless(world, '\nBuild this? y: yes, n: plan it again, q: decide later [y/n/q] ', signal);
    if (/^y(es)?$/i.test(answer)) return { kind: 'approved' };
    if (/^q(uit)?$/i.test(answer)) throw new Interrupted();
    if (!/^n(o)?$/i.test(answer)) continue;
    const reason = await askUnless(world, `What should be different?${recorded} `, signal);
    if (reason !== '') return { kind: 'rejected', reason };
  }
}

async function showSpec(beginning: Beginning, { session, project }: Idea): Promise<void> {
  const { context, world, steadily, signal } = beginning;
  const specId = session.spec_id ?? '';
  const [spec, card] = await steadily(at => Promise.all([specOf(at, specId), cardOf(at, specId)]));
  const inspection = await steadily(at => inspect(at, project, { title: card.name, signal }));
  const others = await steadily(at => otherBuilds(at, session));
  const works = await steadily(at => worksOf(at, project, {}));
  const plan = { sessionId: session.id, card, project, wishes: {}, works, inspection, others };
  if (context.json) {
    world.out.write(`${JSON.stringify(specDocument(session.id, spec))}\n${JSON.stringify(planDocument(plan))}\n`);
    return;
  }
  world.out.write(`\n${specText(spec, world.out, project.planner?.model)}\n\n${planText(plan, world.out)}\n`);
}

function sayApproved({ world, context, options }: Beginning, id: string): void {
  const why = options.yes === true ? '--yes' : 'there is no terminal to ask on';
  if (context.json) world.out.write(`${JSON.stringify({ event: 'approval', session_id: id, approved: true, by: why })}\n`);
  else world.out.write(`\nApproved without asking: ${why}\n`);
}
