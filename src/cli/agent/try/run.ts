import { Argument } from 'commander';
import type { Command } from 'commander';
import { codingAgents, commandAgents, plainAgents } from '../../../../contract/projects.ts';
import type { Agent } from '../../../../contract/projects.ts';
import { installableOf } from '../../../providers/agents/install/packages.ts';
import type { World } from '../../context.ts';
import { collect, usage, whole } from '../../command.ts';
import { withAcp } from '../../project/acp.ts';
import type { AcpOptions } from '../../project/acp.ts';
import { agentOf, operands } from '../../project/agent.ts';
import { machineCommand, placeOf } from '../place.ts';
import type { PlaceOptions } from '../place.ts';
import { filesNamed, wantedFile } from './sample.ts';
import { recordedModel } from './settings.ts';

interface Options extends PlaceOptions, AcpOptions {
  readonly model?: string;
  readonly with?: readonly string[];
  readonly timeout: number;
  readonly url?: string;
}

const usualSeconds = 120;

export function agentTry(world: World): Command {
  const command = machineCommand({
    name: 'try',
    description:
      'See whether an agent works with Skep: one small ticket on a small repository, in a real sandbox, checked and merged. The model is a recorded one unless --model names another. Nothing is left behind',
    examples: ['skep agent try codex', 'skep agent try exec -- ./my-agent.sh', 'skep agent try acp -- node agent.mjs --acp'],
  })
    .addArgument(new Argument('<kind>', 'the agent').choices([...commandAgents, ...codingAgents, ...plainAgents]))
    .argument('[agent...]', "after --: the agent's command; the files of this folder that it names are copied")
    .option('--model <name>', 'a model, such as anthropic/claude-sonnet-4-5, which costs what it costs; default: a recorded one')
    .option('--with <path>', 'a file or folder of this folder that the agent needs beside; may be repeated', collect)
    .option('--url <url>', 'with http: where the ticket is posted to')
    .option('--timeout <seconds>', 'longest time of all of it', whole(1, 3_600), usualSeconds);
  return withAcp(command).action(async (kind: Agent['kind']) => {
    const options = command.opts<Options>();
    const { before, agent: words } = operands(world, command.args);
    if (before.length > 1) throw usage(`'${before[1]}' is one word too many`, `Put -- before the agent's command`);
    const file = kind === 'model' ? { output: wantedFile, file: ['*.txt'] } : {};
    const model = options.model ?? (kind === 'http' ? undefined : recordedModel);
    const { url, timeout, env, homeFile, conversations } = options;
    const said = {
      agent: kind,
      timeout,
      ...file,
      ...(model === undefined ? {} : { model }),
      ...(url === undefined ? {} : { url }),
      ...(env === undefined ? {} : { env }),
      ...(homeFile === undefined ? {} : { homeFile }),
      ...(conversations === undefined ? {} : { conversations }),
    };
    const agent = agentOf({ before: [], agent: words }, said);
    if (agent === undefined) return;
    const { folder, models, sandbox, installs } = await placeOf(world, options);
    const installed = installableOf(agent);
    const { tryAgent } = await import('./try.ts');
    await tryAgent(world, {
      ...{ agent, agents: folder, models, sandbox, json: options.json === true, timeoutMs: options.timeout * 1_000 },
      files: [...new Set([...filesNamed(world.cwd, words), ...(options.with ?? [])])],
      missing: installed !== undefined && installs.find(installed) === undefined ? installed : undefined,
    });
  });
}
