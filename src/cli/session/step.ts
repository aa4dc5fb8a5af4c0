import type { Command } from 'commander';
import { session } from '../../../contract/sessions.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { sessionId, sessionText } from './find.ts';

interface Step {
  /** Both what is typed and the last part of the route. */
  readonly verb: 'respond' | 'approve' | 'reject' | 'cancel';
  readonly description: string;
  readonly example: string;
  /** A text that the step takes: as an argument, or as an option that must be given. */
  readonly argument?: string;
  readonly option?: `--${string} <text>`;
  /** The field of the body in which the text goes. */
  readonly field?: 'message' | 'reason';
}

/** A step of a session that sends at most one text and shows the session as it is then. */
export function sessionStep(world: World, { verb, description, example, argument, option, field }: Step): Command {
  const command = remoteCommand({ name: verb, description, examples: [example] }).argument(
    '<id>',
    'the session; may be shortened',
  );
  if (argument !== undefined) command.argument(`<${argument}>`);
  if (option !== undefined) command.requiredOption(option, 'why');
  return command.action(async () => {
    const options = command.opts<RemoteOptions & { readonly reason?: string }>();
    const [id = '', text] = command.args;
    const context = await connect(world, options);
    const now = await context.client.request('POST', `/api/hitl/${await sessionId(context, id)}/${verb}`, {
      body: field === undefined ? {} : { [field]: text ?? options.reason },
      schema: session,
    });
    context.show(now, () => sessionText(context, now));
  });
}
