import { commandsOf } from '../build/commands.ts';
import type { Commands } from '../build/commands.ts';

/** What a person types next in a demo: of the server that it had nothing is left to ask. */
export const demoCommands: Commands = {
  ...commandsOf({ checks: true }),
  resume: () => 'npm run demo -- --resume',
  skep: () => '',
};
