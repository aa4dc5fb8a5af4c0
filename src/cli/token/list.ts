import type { Command } from 'commander';
import { tokenList as schema } from '../../../contract/tokens.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { shortId } from '../input/id.ts';
import { onePage, printList } from '../output/list.ts';
import { painted } from '../output/text.ts';

export function tokenList(world: World): Command {
  return remoteCommand({
    name: 'list',
    description: 'List the tokens, without their secrets',
    examples: ['skep token list'],
  }).action(async (options: RemoteOptions) => {
    const context = await connect(world, options);
    await printList(context, {
      pages: onePage(context.client.request('GET', '/api/tokens', { schema }).then(({ tokens }) => tokens)),
      columns: [
        { title: 'ID', value: token => shortId(token.id) },
        { title: 'NAME', value: token => token.name, max: 40 },
        { title: 'ROLE', value: token => token.role },
        { title: 'CREATED', value: token => token.created_at.slice(0, 10) },
        { title: 'EXPIRES', value: token => token.expires_at?.slice(0, 16) ?? 'never' },
        {
          title: 'STATE',
          value: token => (token.revoked_at === null ? 'valid' : 'revoked'),
          paint: text => painted(context.out, text),
        },
      ],
      none: 'There are no tokens.',
    });
  });
}
