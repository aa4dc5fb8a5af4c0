import type { Command } from 'commander';
import { startBuildAnswer } from '../../../contract/sessions.ts';
import { Fault } from '../../kernel/fault.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { shortId } from '../input/id.ts';
import { printable } from '../output/text.ts';
import { cardOf, findSession } from './find.ts';

interface Options extends RemoteOptions {
  readonly yes?: boolean;
}

export function sessionStartBuild(world: World): Command {
  return remoteCommand({
    name: 'start-build',
    description: 'Make tickets of the approved card and let the agents work',
    examples: ['skep session start-build 3f2a', 'skep session start-build 3f2a --yes'],
  })
    .argument('<id>', 'the session; may be shortened')
    .option('-y, --yes', 'do not ask')
    .action(async (id: string, options: Options) => {
      const context = await connect(world, options);
      const session = await findSession(context, id);
      if (options.yes !== true) await confirm(world, context, await question(context, session.spec_id));
      const answer = await context.client.request('POST', `/api/hitl/${session.id}/start-build`, {
        body: { confirmed: true },
        schema: startBuildAnswer,
      });
      context.show(answer, () => `${printable(answer.message)}\nnext  skep ticket graph --session ${shortId(session.id)}`);
    });
}

async function question(context: Context, specId: string | null): Promise<string> {
  if (specId === null) return 'Start the build?';
  const card = await cardOf(context, specId);
  return `Build '${printable(card.name)}' with ${card.features.length} ${card.features.length === 1 ? 'feature' : 'features'}?`;
}

async function confirm(world: World, { isTerminal }: Context, text: string): Promise<void> {
  if (!isTerminal) {
    throw new Fault('confirmation_required', {
      message: 'A build must be confirmed, and there is no terminal to ask on',
      hint: 'Add --yes',
    });
  }
  const answer = await world.input.ask(`${text} [y/N] `);
  if (!/^\s*y(es)?\s*$/i.test(answer))
    throw new Fault('confirmation_required', { message: 'Not confirmed: nothing was started' });
}
