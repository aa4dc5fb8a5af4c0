import { isUtf8 } from 'node:buffer';
import { readFileSync, statSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { ModelEvent, ModelTurn, WhyNoFile } from '../worker/host/model-turn.ts';
import { gatewayOfRun } from './asking/gateway.ts';
import { troubleOf } from './asking/trouble.ts';
import { isPlainFile, Misplaced, refusePlace, writeBelow } from './looking/place.ts';
import { readText } from './looking/read.ts';
import { ask, withoutFence } from './model/ask.ts';
import { promptOf } from './model/prompt.ts';
import { shownOf } from './model/shown.ts';

// A ticket that needs no coding agent: asks a model once, through the gateway, and its answer becomes a file of the repository in the
// working directory.

/** Of the file as it is now, which the model is to answer with as a whole. */
const nowBytesMax = 262_144;

async function main(): Promise<ModelEvent> {
  const turn = JSON.parse(await text(process.stdin)) as ModelTurn;
  const { model, output } = turn;
  const root = process.cwd();
  refusePlace(root, output);
  const shown = shownOf(root, { patterns: turn.files, without: output });
  for (const line of shown.left) say(`not shown: ${line}`);
  const now = isPlainFile(root, output) ? whole(output) : undefined;
  say(`asking ${model} for ${output}, which is ${now === undefined ? 'new' : 'there'}; ${shown.files.length} other files shown`);
  const answer = await ask({ gateway: gatewayOfRun(), model, prompt: promptOf(turn, { now, shown }), say });
  return keep(answer, { root, output });
}

function whole(output: string): string {
  const isText = statSync(output).size < nowBytesMax && isUtf8(readFileSync(output));
  const now = isText ? readText(output, nowBytesMax) : undefined;
  if (now === undefined)
    throw new Misplaced(`'${output}' is no text in UTF-8 of less than ${nowBytesMax} bytes, which a model could write anew`);
  return now;
}

function keep(answer: Awaited<ReturnType<typeof ask>>, { root, output }: { root: string; output: string }): ModelEvent {
  const { inputTokens, outputTokens, finishReason } = answer;
  const used = `${answer.text.length} characters`;
  if (finishReason === 'length') return failed('cut_off', `the answer reached the limit of the model after ${used}`);
  if (finishReason === 'content-filter') return failed('unwilling', `the model or its provider refused to go on after ${used}`);
  // What a provider calls by a word of its own is no end: what there is of the answer is half of it.
  if (finishReason !== 'stop') return failed('no_answer', `the answer ended as '${finishReason}' after ${used}`);
  const said = withoutFence(answer.text);
  if (said.trim() === '') return failed('empty', 'the model answered nothing');
  const written = said.endsWith('\n') ? said : `${said}\n`;
  writeBelow(root, output, written);
  return { event: 'written', text: written, inputTokens, outputTokens };
}

function failed(why: WhyNoFile, message: string): ModelEvent {
  return { event: 'failed', why, message: message.slice(0, 4_000) };
}

function whyOf(error: unknown): ModelEvent {
  if (error instanceof Misplaced) return failed('path', error.message);
  const { kind, message } = troubleOf(error);
  return failed(kind === 'no_shape' ? 'other' : kind, message);
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

// stdout is for the event alone.
Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false });
process.stdout.write(`${JSON.stringify(await main().catch(whyOf))}\n`);
