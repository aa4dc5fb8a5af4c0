import { APICallError, NoObjectGeneratedError, NoOutputGeneratedError, RetryError } from 'ai';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { modelName } from '../../contract/projects.ts';
import { planningPhases } from '../../contract/runs.ts';
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
  const gateway = { url: required('SKEP_GATEWAY_URL'), token: required('SKEP_RUN_TOKEN') };
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

function required(name: string): string {
  const value = process.env[name];
  if (value === undefined || value === '') throw new Error(`${name} must be set`);
  return value;
}

/** No stack and no headers: what is said here is shown to people. */
function explain(error: unknown): { code: number; message: string } {
  const last = RetryError.isInstance(error) ? error.lastError : error;
  if (APICallError.isInstance(last)) {
    const isFinal = last.statusCode !== undefined && last.statusCode < 500 && ![408, 409, 425, 429].includes(last.statusCode);
    return {
      code: isFinal ? plannerExits.refused : plannerExits.noAnswer,
      message: `the gateway answers ${last.statusCode ?? 'nothing'}: ${last.message}`,
    };
  }
  if (NoObjectGeneratedError.isInstance(last))
    return { code: plannerExits.noShape, message: `no answer of the right shape: ${last.message}` };
  const message = last instanceof Error ? last.message : String(last);
  if (NoOutputGeneratedError.isInstance(last))
    return { code: plannerExits.noAnswer, message: `the answer broke off: ${message}` };
  return { code: isTrouble(last) ? plannerExits.noAnswer : 1, message };
}

/** Of the way to the gateway, or an answer that was cut off or took too long. */
function isTrouble(error: unknown): boolean {
  return (
    error instanceof TypeError ||
    (error instanceof Error && ['AbortError', 'TimeoutError', 'AI_NoContentGeneratedError'].includes(error.name))
  );
}

// stdout is for the answer alone.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });
try {
  await main();
} catch (error) {
  const { code, message } = explain(error);
  say(`error: ${message.slice(0, 4_000)}`);
  process.exitCode = code;
}
