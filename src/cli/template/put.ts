import type { Command } from 'commander';
import { templateSourceLengthMax } from '../../../contract/templates/document.ts';
import { templatesAtOnceMax, templatesPut } from '../../../contract/templates/wire.ts';
import { Fault } from '../../kernel/fault.ts';
import { remoteCommand, usage } from '../command.ts';
import { connect } from '../context.ts';
import type { RemoteOptions, World } from '../context.ts';
import { readBytes } from '../input/card.ts';

export function templatePut(world: World): Command {
  return remoteCommand({
    name: 'put',
    description: 'Make a template, or the next version of one; the same text again changes nothing',
    examples: ['skep template put careful.yaml', 'cat careful.yaml | skep template put -'],
  })
    .argument('<file>', 'YAML; - is stdin')
    .action((file: string, options: RemoteOptions) => put(world, [file], options));
}

export function templateImport(world: World): Command {
  return remoteCommand({
    name: 'import',
    description: 'Make several templates, all or none; they may extend and stand in for each other',
    examples: ['skep template import base.yaml careful.yaml quick.yaml'],
  })
    .argument('<files...>', 'YAML, one template each')
    .action((files: string[], options: RemoteOptions) => put(world, files, options));
}

async function put(world: World, files: readonly string[], options: RemoteOptions): Promise<void> {
  if (files.length > templatesAtOnceMax) throw usage(`${files.length} templates at once: at most ${templatesAtOnceMax}`);
  const documents = await Promise.all(files.map(file => readSource(world, file)));
  const context = await connect(world, options);
  const done = await context.client.request('POST', '/api/templates', { body: { documents }, schema: templatesPut });
  for (const { id, warnings } of done.templates) for (const words of warnings) world.err.write(`${id}: warning: ${words}\n`);
  context.show(done, () => done.templates.map(({ id, is_new: isNew }) => `${id}  ${isNew ? 'new' : 'unchanged'}`).join('\n'));
}

/** Of one character. */
const utf8BytesMax = 4;

/** Byte for byte: what is exported again is what was put. */
async function readSource(world: World, path: string): Promise<{ file: string; source: string }> {
  const file = path === '-' ? 'stdin' : path;
  // Its characters are counted by the server.
  const bytes = await readBytes(world, path, templateSourceLengthMax * utf8BytesMax);
  try {
    return { file: file.slice(-300), source: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (cause) {
    throw new Fault('invalid_template', { message: `${file} is not text in UTF-8`, cause });
  }
}
