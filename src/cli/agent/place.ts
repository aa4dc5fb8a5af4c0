import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Argument } from 'commander';
import type { Command } from 'commander';
import { localCommand } from '../command.ts';
import { createInstalls } from '../../providers/agents/install/installs.ts';
import type { Installs } from '../../providers/agents/install/installs.ts';
import { installables } from '../../providers/agents/install/packages.ts';
import type { World } from '../context.ts';
import { agentsFolder } from '../worker/parts.ts';

/** As of a machine on which no sandbox can be made. */
export const lackingExitCode = 7;

export interface PlaceOptions {
  readonly json?: boolean;
  readonly home?: string;
}

/** A command about this machine alone: no server is asked. */
export function machineCommand(...given: Parameters<typeof localCommand>): Command {
  return localCommand(...given).option('--home <folder>', 'where the data of this machine lies; default: SKEP_HOME or ~/.skep');
}

export function kindArgument(name: '<kind>' | '[kind]'): Argument {
  return new Argument(name, `one of ${installables.join(', ')}`).choices([...installables]);
}

/** Where agents are, by the settings. */
export async function placeOf(
  world: World,
  { home }: PlaceOptions,
): Promise<{
  readonly folder: string;
  readonly home: string;
  readonly models: string | undefined;
  readonly sandbox: string;
  readonly installs: Installs;
}> {
  const settings = await world.settings({ SKEP_HOME: home });
  const folder = agentsFolder(settings);
  const usual = join(settings.SKEP_HOME, 'models.json');
  const models = settings.SKEP_MODELS ?? (existsSync(usual) ? usual : undefined);
  return { folder, home: settings.SKEP_HOME, models, sandbox: settings.SKEP_SANDBOX, installs: createInstalls(folder) };
}
