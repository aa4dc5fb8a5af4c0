import { Command } from 'commander';
import { version } from './command.ts';
import type { World } from './context.ts';
import { endTemporary, interrupted } from './place/temporary.ts';
import { reportFailure } from './report.ts';

interface Noun {
  readonly name: string;
  readonly summary: string;
  readonly load: (world: World) => Promise<Command>;
}

/** In the order in which a newcomer meets them. Each is loaded when it is named, so that `skep --help` loads none. */
const nouns: readonly Noun[] = [
  {
    name: 'demo',
    summary: 'all of it on a small repository, with a recorded model',
    load: async w => (await import('./demo/run.ts')).demoCommand(w),
  },
  {
    name: 'build',
    summary: 'a repository and a spec card in, merged work out',
    load: async w => (await import('./build/run.ts')).buildCommand(w),
  },
  {
    name: 'start',
    summary: 'server and one worker on this machine',
    load: async w => (await import('./start/run.ts')).startCommand(w),
  },
  { name: 'server', summary: 'the server without a worker', load: async w => (await import('./server/run.ts')).serverCommand(w) },
  { name: 'worker', summary: 'a worker for a server', load: async w => (await import('./worker/run.ts')).workerCommand(w) },
  {
    name: 'status',
    summary: 'one look: health and tickets',
    load: async w => (await import('./status/run.ts')).statusCommand(w),
  },
  {
    name: 'top',
    summary: 'what runs, waits and is held back, live',
    load: async w => (await import('./top/run.ts')).topCommand(w),
  },
  {
    name: 'project',
    summary: 'repositories and their agents',
    load: async w => (await import('./project/index.ts')).projectCommands(w),
  },
  {
    name: 'template',
    summary: 'set-ups of agents, in versions',
    load: async w => (await import('./template/index.ts')).templateCommands(w),
  },
  {
    name: 'session',
    summary: 'from an idea to a build',
    load: async w => (await import('./session/index.ts')).sessionCommands(w),
  },
  {
    name: 'ticket',
    summary: 'pieces of work and their graph',
    load: async w => (await import('./ticket/index.ts')).ticketCommands(w),
  },
  {
    name: 'change',
    summary: 'work on its way into the branch',
    load: async w => (await import('./change/index.ts')).changeCommands(w),
  },
  {
    name: 'question',
    summary: 'what agents and budgets ask of you',
    load: async w => (await import('./question/index.ts')).questionCommands(w),
  },
  {
    name: 'review',
    summary: 'checks and their evidence',
    load: async w => (await import('./review/index.ts')).reviewCommands(w),
  },
  {
    name: 'result',
    summary: 'what a spec has come to',
    load: async w => (await import('./result/index.ts')).resultCommands(w),
  },
  {
    name: 'budget',
    summary: 'what models may cost',
    load: async w => (await import('./budget/index.ts')).budgetCommands(w),
  },
  {
    name: 'limit',
    summary: 'how many runs at once',
    load: async w => (await import('./limit/index.ts')).limitCommands(w),
  },
  {
    name: 'brake',
    summary: 'hold all claims back, and let them go',
    load: async w => (await import('./brake/index.ts')).brakeCommands(w),
  },
  { name: 'cost', summary: 'what models have cost', load: async w => (await import('./cost/run.ts')).costCommand(w) },
  { name: 'run', summary: 'attempts of agents at tickets', load: async w => (await import('./run/index.ts')).runCommands(w) },
  {
    name: 'run-ticket',
    summary: 'run one ticket by hand',
    load: async () => (await import('./run-ticket/run.ts')).runTicketCommand(),
  },
  {
    name: 'events',
    summary: 'what happened, and what happens',
    load: async w => (await import('./events/run.ts')).eventsCommand(w),
  },
  {
    name: 'sandbox',
    summary: 'where agents work, seen and handled from outside',
    load: async w => (await import('./sandbox/index.ts')).sandboxCommands(w),
  },
  {
    name: 'bench',
    summary: 'how quick sandboxes are on this machine',
    load: async w => (await import('./bench/index.ts')).benchCommands(w),
  },
  {
    name: 'agent',
    summary: 'coding agents on this machine',
    load: async w => (await import('./agent/index.ts')).agentCommands(w),
  },
  {
    name: 'record',
    summary: 'make a recording of what models answer',
    load: async w => (await import('./record/run.ts')).recordCommand(w),
  },
  { name: 'token', summary: 'who may do what', load: async w => (await import('./token/index.ts')).tokenCommands(w) },
];

/** Runs what was typed and returns the exit code. Never throws. */
export async function run(world: World): Promise<number> {
  const before = world.argv.includes('--') ? world.argv.slice(0, world.argv.indexOf('--')) : world.argv;
  try {
    if (world.argv.length === 0) {
      world.out.write(welcome);
      return 0;
    }
    const program = adopt(await build(world), world);
    const parsed = program.parseAsync([...world.argv], { from: 'user' });
    await Promise.race([parsed, interrupted(world)]);
    return 0;
  } catch (error) {
    return reportFailure(error, world.err, before.includes('--json'));
  } finally {
    await endTemporary(world);
  }
}

const welcome = `Skep houses a swarm of coding agents: an idea and a repository in, finished work out.

Start with:
  skep build --repo . --spec card.json --command 'node agent.js'   a repository and a spec card in, merged work out
  skep start                                                       a server that stays, for several projects at once

All commands: skep --help
`;

async function build(world: World): Promise<Command> {
  const program = new Command('skep')
    .description('Houses a swarm of coding agents. Begin with: skep build --help')
    .version(version(), '-V, --version')
    .helpCommand('help [command]', 'help on a command')
    // What follows a verb is the verb's: `skep worker` has options of its own, and verbs.
    .enablePositionalOptions()
    .addHelpText(
      'after',
      '\nExample:\n  skep build --repo . --spec card.json --command "node agent.js"\n\nExit codes and all commands: docs/cli.md',
    );
  for (const { name, summary, load } of nouns) {
    const command = world.argv.includes(name) ? await load(world) : new Command(name);
    program.addCommand(command.summary(summary));
  }
  return program;
}

/** Commands made elsewhere print and fail in this program's way too. */
function adopt(command: Command, world: World): Command {
  command.exitOverride().configureOutput({
    writeOut: text => world.out.write(text),
    writeErr: text => world.err.write(text),
    // Failures are printed once, by reportFailure.
    outputError: () => {},
    getOutHasColors: () => world.out.hasColour,
    getErrHasColors: () => world.err.hasColour,
  });
  for (const child of command.commands) adopt(child, world);
  return command;
}
