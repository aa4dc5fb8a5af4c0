import type { Command } from 'commander';
import type { WireTemplate } from '../../../contract/templates/wire.ts';
import { remoteCommand } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { findTemplate, shownText } from './find.ts';

export function templateShow(world: World): Command {
  return remoteCommand({
    name: 'show',
    description: 'Show a template with all that it has from those that it extends, and who uses it',
    examples: ['skep template show careful', 'skep template show careful@3'],
  })
    .argument('<name>', 'its name for the newest version, or name@version')
    .action(async (name: string, options: RemoteOptions) => {
      const context = await connect(world, options);
      const found = await findTemplate(context, name);
      context.show(found, () => shownText(found));
    });
}

interface ExportOptions extends RemoteOptions {
  readonly flat?: boolean;
}

export function templateExport(world: World): Command {
  return remoteCommand({
    name: 'export',
    description: 'Print a template as it was put, byte for byte',
    examples: [
      'skep template export careful > careful.yaml',
      'skep template export careful@3 --flat | skep template put - --server https://other.example',
    ],
  })
    .argument('<name>', 'its name for the newest version, or name@version')
    .option('--flat', 'with all that it has from those that it extends, so that it can be put where those are not')
    .action(async (name: string, options: ExportOptions) => {
      const context = await connect(world, options);
      const found = await findTemplate(context, name);
      const source = options.flat === true ? await flat(found) : found.source;
      if (context.json) context.out.write(`${JSON.stringify({ id: found.id, source })}\n`);
      else context.out.write(source);
    });
}

async function flat({ name, description, agent, prompt, tools, limits, fallback }: WireTemplate): Promise<string> {
  const { stringify } = await import('yaml');
  return stringify(
    {
      name,
      ...(description === null ? {} : { description }),
      agent,
      ...(prompt === '' ? {} : { prompt }),
      ...(tools === null ? {} : { tools }),
      ...(Object.keys(limits).length === 0 ? {} : { limits }),
      ...(fallback.length === 0 ? {} : { fallback }),
    },
    { aliasDuplicateObjects: false },
  );
}
