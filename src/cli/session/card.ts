import type { Command } from 'commander';
import { z } from 'zod';
import { session } from '../../../contract/sessions.ts';
import type { WireSession } from '../../../contract/sessions.ts';
import type { SpecCardInput } from '../../../contract/spec-card.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { readCard } from '../input/card.ts';
import { sessionId, sessionText } from './find.ts';

const answer = z.object({ session });

export function sessionCard(world: World): Command {
  return remoteCommand({
    name: 'card',
    description: 'Hand in a spec card, or a better one after a rejection',
    examples: ['skep session card 3f2a card.json'],
  })
    .argument('<id>', 'the session; may be shortened')
    .argument('<path>', 'the card, as JSON; - is stdin')
    .action(async (id: string, path: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const card = await readCard(world, path);
      const now = await submitCard(context, await sessionId(context, id), card);
      context.show(now, () => sessionText(context, now));
    });
}

async function submitCard({ client }: Context, id: string, card: SpecCardInput): Promise<WireSession> {
  const path = `/api/hitl/${id}/generate-spec`;
  return (await client.request('POST', path, { body: { spec_card: card }, schema: answer })).session;
}
