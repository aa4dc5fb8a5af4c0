import type { Command } from 'commander';
import { installAgent } from '../../providers/agents/install/install.ts';
import { packages } from '../../providers/agents/install/packages.ts';
import type { Installable } from '../../providers/agents/install/packages.ts';
import type { World } from '../context.ts';
import { kindArgument, machineCommand, placeOf } from './place.ts';
import type { PlaceOptions } from './place.ts';

export function agentInstall(world: World): Command {
  return machineCommand({
    name: 'install',
    description: 'Install a coding agent from the npm registry, at the version that Skep was tried with',
    examples: ['skep agent install codex', 'skep agent install pi'],
  })
    .addArgument(kindArgument('<kind>'))
    .action(async (kind: Installable, options: PlaceOptions) => {
      const { folder } = await placeOf(world, options);
      const say = (words: string): void => {
        if (options.json !== true) world.err.write(`${words}\n`);
      };
      const installed = await installAgent(kind, { folder, clock: world.clock, onStep: say });
      const { version } = packages[kind];
      if (options.json === true) world.out.write(`${JSON.stringify({ kind, version, folder: installed })}\n`);
      else world.out.write(`${kind} ${version} is installed in ${installed}\n`);
    });
}
