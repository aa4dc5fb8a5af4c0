import type { Command } from 'commander';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { printable } from '../output/text.ts';
import { findSession, sessionText, specOf } from './find.ts';

export function sessionShow(world: World): Command {
  return remoteCommand({
    name: 'show',
    description: 'Show a session, its card and what to do next',
    examples: ['skep session show 3f2a'],
  })
    .argument('<id>', 'the session; may be shortened')
    .action(async (id: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const session = await findSession(context, id);
      const spec = session.spec_id === null ? null : await specOf(context, session.spec_id);
      context.show({ ...session, spec }, () => {
        const features = spec?.card.features.map((feature, i) => `  ${i + 1}. ${printable(feature.title)}`) ?? [];
        const card =
          spec === null ? [] : ['', `${printable(spec.card.name)} (card ${spec.version}, ${spec.status})`, ...features];
        return [sessionText(context, session), ...card].join('\n');
      });
    });
}
