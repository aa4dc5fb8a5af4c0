import type { Command } from 'commander';
import { z } from 'zod';
import { session } from '../../../contract/sessions.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { sessionId, sessionText } from './find.ts';

const answer = z.object({ session });

export function sessionGenerate(world: World): Command {
  return remoteCommand({
    name: 'generate',
    description: 'Have the spec planned: the defaults answer what you have not, and what has stopped is tried again',
    examples: ['skep session generate 3f2a'],
  })
    .argument('<id>', 'the session; may be shortened')
    .action(async (id: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const path = `/api/hitl/${await sessionId(context, id)}/generate-spec`;
      const { session: now } = await context.client.request('POST', path, { body: {}, schema: answer });
      context.show(now, () => sessionText(context, now));
    });
}
