import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { templateHistory, templateList } from './list.ts';
import { templateImport, templatePut } from './put.ts';
import { templateRemove } from './remove.ts';
import { templateRoute } from './route.ts';
import { templateSchema } from './schema.ts';
import { templateExport, templateShow } from './show.ts';

export function templateCommands(world: World): Command {
  return noun('template', 'Named set-ups of agents, in versions, shared by the projects (docs/templates.md)', [
    templateList(world),
    templateShow(world),
    templatePut(world),
    templateImport(world),
    templateExport(world),
    templateHistory(world),
    templateRoute(world),
    templateRemove(world),
    templateSchema(world),
  ]);
}
