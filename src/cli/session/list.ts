import type { Command } from 'commander';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { shortId } from '../input/id.ts';
import { onePage, printList } from '../output/list.ts';
import { painted } from '../output/text.ts';
import { allSessions } from './find.ts';

export function sessionList(world: World): Command {
  return remoteCommand({ name: 'list', description: 'List the sessions', examples: ['skep session list'] }).action(
    async (options: RemoteOptions) => {
      const context = await connect(world, options);
      await printList(context, {
        pages: onePage(allSessions(context)),
        columns: [
          { title: 'ID', value: session => shortId(session.id) },
          { title: 'STATE', value: session => session.state, paint: (text, { state }) => painted(context.out, state, text) },
          { title: '%', value: session => session.progress },
          { title: 'CREATED', value: session => session.created_at.slice(0, 16) },
          { title: 'DESCRIPTION', value: session => session.description.slice(0, 120) },
        ],
        none: "There are no sessions. Open one: skep session create --project demo --description 'what is to be built'",
      });
    },
  );
}
