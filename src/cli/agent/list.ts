import type { Command } from 'commander';
import { installables, packages } from '../../providers/agents/install/packages.ts';
import type { World } from '../context.ts';
import { createTable } from '../output/table.ts';
import { machineCommand, placeOf } from './place.ts';
import type { PlaceOptions } from './place.ts';

export function agentList(world: World): Command {
  return machineCommand({
    name: 'list',
    description: 'List the coding agents that Skep can install, and which of them are on this machine',
    examples: ['skep agent list'],
  }).action(async (options: PlaceOptions) => {
    const { installs } = await placeOf(world, options);
    const rows = installables.map(kind => {
      const folder = installs.find(kind);
      const { name, version } = packages[kind];
      return { kind, version, package: name, installed: folder !== undefined, folder: folder ?? null };
    });
    if (options.json === true) {
      world.out.write(rows.map(row => `${JSON.stringify(row)}\n`).join(''));
      return;
    }
    createTable<(typeof rows)[number]>(world.out, [
      { title: 'AGENT', value: row => row.kind },
      { title: 'VERSION', value: row => row.version },
      { title: 'PACKAGE', value: row => row.package },
      { title: 'WHERE', value: row => row.folder ?? `not installed: skep agent install ${row.kind}` },
    ]).add(rows);
  });
}
