import { Option } from 'commander';
import type { Command } from 'commander';
import { roles, tokenCreated } from '../../../contract/tokens.ts';
import { remoteCommand, usage } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';

interface Options extends RemoteOptions {
  readonly role: string;
  readonly expires?: number;
}

export function tokenCreate(world: World): Command {
  return remoteCommand({
    name: 'create',
    description: 'Make a token. Its secret is printed this once',
    examples: ['skep token create laptop --role member --expires 30d', 'skep token create builder --role worker > worker.token'],
  })
    .argument('<name>', 'what it is for')
    .addOption(new Option('--role <role>', 'what it may do').choices([...roles]).makeOptionMandatory())
    .option('--expires <time>', 'when it ends, such as 12h or 30d; default: never', seconds)
    .action(async (name: string, options: Options) => {
      const context = await connect(world, options);
      const made = await context.client.request('POST', '/api/tokens', {
        body: { name, role: options.role, expires_in_s: options.expires },
        schema: tokenCreated,
      });
      // Only the secret on stdout, so that it can go to a file or a variable.
      context.show(made, () => made.secret);
      if (context.out.isTerminal && !context.json) context.err.write('This is shown this once: keep it now.\n');
    });
}

function seconds(given: string): number {
  const [, count, unit = ''] = /^(\d{1,9})([smhd])$/.exec(given) ?? [];
  if (count === undefined) throw usage(`'${given}' is no time`, 'Write it as 90s, 30m, 12h or 30d');
  return Number(count) * (unitSeconds[unit] ?? 1);
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };
