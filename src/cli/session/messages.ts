import type { Command } from 'commander';
import { messageList } from '../../../contract/sessions.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { printable, styled } from '../output/text.ts';
import { sessionId } from './find.ts';

export function sessionMessages(world: World): Command {
  return remoteCommand({ name: 'messages', description: 'What was said in a session', examples: ['skep session messages 3f2a'] })
    .argument('<id>', 'the session; may be shortened')
    .action(async (id: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const path = `/api/hitl/${await sessionId(context, id)}/messages`;
      const { messages } = await context.client.request('GET', path, { schema: messageList });
      for (const message of messages) {
        const heading = styled(context.out, 'bold', `${printable(message.author)}  ${message.created_at}`);
        const text = `${heading}\n${printable(message.text, { keepNewlines: true })}\n\n`;
        context.out.write(context.json ? `${JSON.stringify(message)}\n` : text);
      }
      if (messages.length === 0 && !context.json) context.err.write('Nothing was said yet.\n');
    });
}
