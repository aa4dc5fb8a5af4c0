import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { modelName } from '../../contract/projects.ts';
import { planningPhases } from '../../contract/runs.ts';
import { gatewayOfRun } from './asking/gateway.ts';
import { troubleOf } from './asking/trouble.ts';
import type { Trouble } from './asking/trouble.ts';
import { ask } from './planner/ask.ts';
import { plannerExits } from '../worker/host/planner-exits.ts';
import { promptOf } from './planner/prompts.ts';
import { glanceAt } from './planner/repository.ts';
import { schemaOf } from './planner/schema.ts';

// One phase of a plan: reads what is asked from stdin and the repository in the working directory, asks the model through the gateway,
// and prints the answer as one JSON document. How it goes is said on stderr.

const asked = z.object({
  phase: z.enum(planningPhases),
  input: z.record(z.string(), z.unknown()),
  model: modelName,
  feedback: z.string().nullable().default(null),
});

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

async function main(): Promise<void> {
  const { phase, input, model, feedback } = asked.parse(JSON.parse(await text(process.stdin)));
  const gateway = gatewayOfRun();
  const glance = glanceAt(process.cwd());
  say(`${phase}: ${glance.paths.length}${glance.isCut ? '+' : ''} files, ${glance.files.length} looked at; asking ${model}`);
  const answer = await ask({
    gateway,
    model,
    prompt: promptOf({ phase, input, feedback }, glance),
    schema: schemaOf(phase),
    say,
  });
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

const exits: Readonly<Record<Trouble['kind'], number>> = {
  refused: plannerExits.refused,
  no_answer: plannerExits.noAnswer,
  no_shape: plannerExits.noShape,
  other: 1,
};

// stdout is for the answer alone.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });
try {
  await main();
} catch (error) {
  const { kind, message } = troubleOf(error);
  say(`error: ${message.slice(0, 4_000)}`);
  process.exitCode = exits[kind];
}
