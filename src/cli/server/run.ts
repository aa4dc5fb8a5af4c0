import type { Command } from 'commander';
import { localCommand, whole } from '../command.ts';
import type { World } from '../context.ts';
import { serve } from './serve.ts';
import type { ServeOptions } from './serve.ts';

export function serverCommand(world: World): Command {
  const command = localCommand({
    name: 'server',
    description: 'Run the server without a worker; workers on this machine or others claim from it',
    examples: ['skep server --port 8080', 'DATABASE_URL=postgres://… skep server --host 0.0.0.0'],
  });
  return withServerOptions(command).action((options: ServeOptions) => serve(world, options));
}

export function withServerOptions(command: Command): Command {
  return command
    .option('--host <address>', 'where to listen; default: SKEP_HOST or 127.0.0.1')
    .option('--port <number>', 'default: SKEP_PORT or 8080; 0 takes a free one', whole(0, 65_535))
    .option('--home <folder>', 'where the data lies; default: SKEP_HOME or ~/.skep');
}
