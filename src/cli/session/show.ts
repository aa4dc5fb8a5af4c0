import type { Command } from 'commander';
import type { SpecPlan } from '../../../contract/talk/planning.ts';
import type { WireSpec } from '../../../contract/sessions.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { printable } from '../output/text.ts';
import { findSession, sessionText, specOf } from './find.ts';

export function sessionShow(world: World): Command {
  return remoteCommand({
    name: 'show',
    description: 'Show a session, its plan and card, and what to do next',
    examples: ['skep session show 3f2a'],
  })
    .argument('<id>', 'the session; may be shortened')
    .action(async (id: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const session = await findSession(context, id);
      const spec = session.spec_id === null ? null : await specOf(context, session.spec_id);
      context.show({ ...session, spec }, () =>
        [sessionText(context, session), ...(spec === null ? [] : specLines(spec))].join('\n'),
      );
    });
}

function specLines({ name, version, status, card, plan }: WireSpec): string[] {
  const title = ['', `${printable(card?.name ?? name)} (card ${version}, ${status})`];
  const features = card?.features.map((feature, i) => `  ${i + 1}. ${printable(feature.title)}`) ?? [];
  if (plan === null) return [...title, ...features];
  return [
    ...title,
    ...section(
      'requirements',
      plan.requirements.map(({ id, statement }) => `  ${id.padEnd(4)} ${printable(statement)}`),
    ),
    ...(plan.design === null ? [] : ['', 'design', `  ${printable(plan.design.overview)}`]),
    ...section('tasks', plan.tasks.map(taskLine)),
    ...(plan.tasks.length > 0 ? [] : section('card', features)),
  ];
}

function taskLine({ id, title, requirements, depends_on: needs }: SpecPlan['tasks'][number]): string {
  const after = needs.length === 0 ? '' : `, after ${needs.join(', ')}`;
  return `  ${id.padEnd(4)} ${printable(title)} (serves ${requirements.join(', ')}${after})`;
}

function section(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ['', title, ...lines];
}
