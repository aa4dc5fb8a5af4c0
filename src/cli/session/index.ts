import type { Command } from 'commander';
import { noun } from '../command.ts';
import type { World } from '../context.ts';
import { sessionCard } from './card.ts';
import { sessionCreate } from './create.ts';
import { sessionGenerate } from './generate.ts';
import { sessionList } from './list.ts';
import { sessionMessages } from './messages.ts';
import { sessionShow } from './show.ts';
import { sessionStartBuild } from './start-build.ts';
import { sessionStep } from './step.ts';

export function sessionCommands(world: World): Command {
  return noun('session', 'From an idea over a spec card to a build', [
    sessionCreate(world),
    sessionList(world),
    sessionShow(world),
    sessionMessages(world),
    sessionStep(world, {
      verb: 'respond',
      description: 'Say something to a session',
      argument: 'text',
      field: 'message',
      example: "skep session respond 3f2a 'Yes, with dark mode'",
    }),
    sessionGenerate(world),
    sessionCard(world),
    sessionStep(world, {
      verb: 'approve',
      description: 'Approve the spec card of a session',
      example: 'skep session approve 3f2a',
    }),
    sessionStep(world, {
      verb: 'reject',
      description: 'Send the spec card of a session back',
      option: '--reason <text>',
      field: 'reason',
      example: "skep session reject 3f2a --reason 'The API is missing'",
    }),
    sessionStartBuild(world),
    sessionStep(world, { verb: 'cancel', description: 'Cancel a session and its work', example: 'skep session cancel 3f2a' }),
  ]);
}
