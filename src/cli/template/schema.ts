import type { Command } from 'commander';
import { localCommand } from '../command.ts';
import type { World } from '../context.ts';

export function templateSchema(world: World): Command {
  return localCommand({
    name: 'schema',
    description: 'Print the JSON Schema of a template, for an editor',
    examples: ['skep template schema > template.schema.json'],
  }).action(async () => {
    const { toJSONSchema } = await import('zod');
    const { templateDocument } = await import('../../../contract/templates/document.ts');
    const { $schema, ...schema } = toJSONSchema(templateDocument, { io: 'input' });
    world.out.write(`${JSON.stringify({ $schema, title: 'A template of Skep', ...schema }, null, 2)}\n`);
  });
}
