import type { Command } from 'commander';
import { project } from '../../../contract/projects.ts';
import { session } from '../../../contract/sessions.ts';
import { Fault } from '../../kernel/fault.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { Context, RemoteOptions, World } from '../context.ts';
import { readCard } from '../input/card.ts';
import { repositoryArgument } from '../input/repository.ts';
import { projectNamed } from '../project/find.ts';
import { sessionText } from './find.ts';

interface Options extends RemoteOptions {
  readonly project: string;
  readonly description: string;
  readonly card?: string;
  readonly repository?: string;
}

export function sessionCreate(world: World): Command {
  return remoteCommand({
    name: 'create',
    description: 'Open a session: say what is to be built, with a spec card where there is one',
    examples: ["skep session create --project demo --description 'A todo app' --card card.json"],
  })
    .requiredOption('--project <name>', 'the project; made when there is none of that name')
    .requiredOption('--description <text>', 'what is to be built')
    .option('--card <path>', 'a spec card, as JSON; - is stdin')
    .option('--repository <path-or-url>', "the project's repository, where it has none yet")
    .action(async (options: Options) => {
      const context = await connect(world, options);
      // All that can be refused here is looked at before anything is made.
      const card = options.card === undefined ? undefined : await readCard(world, options.card);
      if (options.repository !== undefined) {
        await ensureRepository(
          context,
          options.project,
          repositoryArgument(options.repository, { ...world, server: context.server }),
        );
      }
      const now = await context.client.request('POST', '/api/hitl', {
        body: { project_name: options.project, description: options.description, spec_card: card },
        schema: session,
      });
      context.show(now, () => sessionText(context, now));
    });
}

async function ensureRepository(context: Context, name: string, repository: string): Promise<void> {
  const { client } = context;
  const found = await projectNamed(context, name);
  if (found === undefined) {
    await client.request('POST', '/api/projects', { body: { name, repository }, schema: project });
  } else if (found.repository === null) {
    await client.request('PATCH', `/api/projects/${found.id}`, { body: { repository }, schema: project });
  } else if (found.repository !== repository) {
    throw new Fault('already_exists', {
      message: `The project '${name}' has another repository: ${found.repository}`,
      hint: `Leave --repository out, or change it: skep project set ${name} --repository ${repository}`,
    });
  }
}
