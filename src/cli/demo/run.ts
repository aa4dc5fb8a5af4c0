import { Option } from 'commander';
import type { Command } from 'commander';
import { localCommand, usage } from '../command.ts';
import type { World } from '../world.ts';
import { demoAgents } from './options.ts';
import type { DemoOptions } from './options.ts';

export function demoCommand(world: World): Command {
  return localCommand({
    name: 'demo',
    description:
      'From an idea to merged work on a small repository, with a recorded model: a recorded demo. The agents, the sandboxes, the checks and the merges are real, and nothing is paid',
    examples: ['skep demo', 'skep demo --yes --chaos', 'skep demo --resume'],
  })
    .addOption(new Option('--agent <kind>', 'the agent that works').choices(demoAgents).default('codex'))
    .option('-y, --yes', 'do not ask: questions are answered by their defaults, and the plan is approved')
    .option('--chaos', 'kill the worker in the middle of its work, for real, and start another one')
    .option('--resume', 'go on with a demo that Ctrl-C has ended')
    .option('--keep', 'leave server and worker running at the end, and say how to reach and how to stop them')
    .option('--stop', 'stop what --keep has left running, and remove what an interrupted demo has left')
    .option('--plain', 'lines instead of the live view')
    .action(async (options: DemoOptions) => {
      const [first, second] = (['resume', 'stop', 'chaos'] as const).filter(name => options[name] === true);
      if (second !== undefined) throw usage(`--${first} does not go with --${second}`);
      if (options.stop === true) return (await import('./stop.ts')).stopDemo(world, options);
      return (await import('./demo.ts')).runDemo(world, options);
    });
}
