import { Option } from 'commander';
import type { Command } from 'commander';
import { collect, remoteCommand, whole } from '../command.ts';
import type { World } from '../world.ts';
import { addressed } from '../address.ts';
import { repositoryArgument } from '../input/repository.ts';
import { agentKinds, operands } from '../project/agent.ts';
import { withPlain } from '../project/plain.ts';
import { Interrupted } from '../report.ts';
import { refuseUnasked } from './begin.ts';
import { drive } from './drive.ts';
import { readWanted, readWishes } from './options.ts';
import type { BuildOptions } from './options.ts';

export function buildCommand(world: World): Command {
  const command = remoteCommand({
    name: 'build',
    description:
      "Build an idea or a spec card in a git repository: agents in sandboxes, the project's own checks, merged on a new branch skep/…. Your working tree and your branches stay as they are",
    examples: [
      "skep build --repo . --spec card.json --command 'node agent.js' --check 'npm test'",
      "skep build --repo . --idea 'An invoice from the timesheet' --agent codex --model openai/gpt-5-codex",
      'skep build --repo https://forge.example/a.git --spec card.json --yes -- python3 agent.py --fast',
      'skep build --resume',
    ],
  })
    .argument('[agent...]', "after --: the agent's program and arguments; no shell reads them")
    .option('--repo <path-or-url>', "the git repository; default: the card's, else this folder")
    .option('--spec <file>', 'the spec card, as JSON; - is stdin')
    .option('--idea <text>', 'what is wanted, in your words: a model asks what is not clear and plans it; you approve the plan')
    .option('--idea-file <file>', 'the same from a file; - is stdin')
    .addOption(new Option('--agent <kind>', 'the agent; default: exec, a command of your own').choices([...agentKinds]))
    .option('--model <name>', 'its model, such as anthropic/claude-sonnet-4-5')
    .option('--planner <model>', "with --idea: the model that plans; default: the agent's")
    .option('--command <line>', 'the agent: a line for sh, run in the sandbox, with the ticket as JSON on stdin')
    .option('--timeout <seconds>', 'longest time of one attempt', whole(1, 86_400))
    .option('--check <line>', 'a check for sh that must end with 0; may be repeated; default: found in the repository', collect)
    .option('--no-checks', 'run none: the result is unproven')
    .option('--allow-test-changes', 'merge changes of tests, checks and CI without asking')
    .option('--leave-out-red', 'build though checks are red on the base commit, without those')
    .option('--slots <n>', 'runs at once; default: SKEP_WORKER_SLOTS or 2', whole(1, 100))
    .option('-y, --yes', 'do not ask: questions are answered by their defaults, and the plan is approved')
    .option('--resume [session]', 'go on with a build that is not finished; default: the newest of this repository')
    .option('--retry-failed', 'with --resume: try failed tickets again')
    .option('--plain', 'lines instead of the live view');
  return withPlain(command).action(async () => {
    const options = command.opts<BuildOptions>();
    const words = operands(world, command.args);
    const { settings, isNamed } = await addressed(world, options);
    // A server of this machine sees this machine's folders.
    const at = { cwd: world.cwd, server: isNamed ? settings.SKEP_SERVER : 'http://127.0.0.1' };
    const wanted = options.resume === undefined ? await readWanted(world, options, { words, server: at.server }) : undefined;
    const wishes = wanted?.wishes ?? readWishes(options, words);
    const repository = wanted?.repository ?? (options.repo === undefined ? world.cwd : repositoryArgument(options.repo, at));
    refuseUnasked(world, options);
    const stopping = new AbortController();
    void world.stopRequested().then(() => stopping.abort(new Interrupted()));
    await drive({ world, options, wanted, wishes, repository, signal: stopping.signal });
  });
}
