import type { Command } from 'commander';
import { z } from 'zod';
import { tokenList } from '../../../contract/tokens.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { wholeId } from '../input/id.ts';

export function tokenRevoke(world: World): Command {
  return remoteCommand({ name: 'revoke', description: 'End a token at once', examples: ['skep token revoke 3f2a'] })
    .argument('<id>', 'the token; may be shortened')
    .action(async (given: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const { client } = context;
      const id = await wholeId(given, {
        noun: 'token',
        notFound: 'token_not_found',
        all: async () => (await client.request('GET', '/api/tokens', { schema: tokenList })).tokens.map(token => token.id),
      });
      await client.request('DELETE', `/api/tokens/${id}`, { schema: z.unknown() });
      context.show({ id, revoked: true }, () => `revoked  ${id}`);
    });
}
