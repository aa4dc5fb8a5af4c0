import type { UpstreamCall } from '../../../../gateway/upstream.ts';
import type { Conversation, Progress } from '../conversation/index.ts';
import { progressOf } from '../conversation/index.ts';
import type { Scene, Step } from '../format.ts';
import type { Recording } from '../load.ts';
import { blank, type ToolCall, toolCall, waitCall, type Workbench } from '../tools/index.ts';
import { unmet } from './expect.ts';
import { RecordingMismatch, shortened } from './mismatch.ts';
import { described, sceneFor } from './scene.ts';

/** What the model says next. */
export interface Reply {
  readonly text: string;
  readonly call: ToolCall | null;
  readonly delayMs: number;
}

interface Asked {
  readonly conversation: Conversation;
  readonly run: UpstreamCall['run'];
  /** Of the agent, as far as the request tells. */
  readonly cwd: string | null;
}

/** The step of the recording that answers this conversation. Throws RecordingMismatch where what happened is not what was recorded. */
export function replyTo(recording: Recording, asked: Asked): Reply {
  const { conversation, run, cwd } = asked;
  const { structured, tools } = conversation;
  // Agents ask for titles and summaries on the side; nothing depends on the answer. Where the agent is a plain model it is all there is.
  if (tools.length === 0 && structured === null && run.agent !== 'model')
    return said('This is a recorded demo: no model reads this.');
  const scene = sceneFor(recording, run);
  const hasObject = scene.steps.some(({ object }) => object !== undefined);
  if (structured !== null && tools.length === 0 && !hasObject)
    return handedOver(conversation, blank({ type: 'object', ...structured.schema }));
  const progress = progressOf(conversation);
  const bench: Workbench = { agent: run.agent, tools, cwd, hasSearched: progress.hasSearched };
  const waiting = waitCall(bench, progress);
  if (waiting !== undefined) return { text: '', call: waiting, delayMs: 0 };
  const step = stepAt(scene, { progress, run });
  return step === undefined ? said('That is all that was recorded of this run.') : played(step, { conversation, bench });
}

function said(text: string): Reply {
  return { text, call: null, delayMs: 0 };
}

function played(step: Step, { conversation, bench }: { conversation: Conversation; bench: Workbench }): Reply {
  const delayMs = step.delay_ms ?? 0;
  if (step.object !== undefined) return { ...handedOver(conversation, step.object), delayMs };
  return { text: step.say ?? '', call: step.call === undefined ? null : toolCall(bench, step.call), delayMs };
}

/** As the wire hands over structured output: as text, or as the arguments of a tool. */
function handedOver({ structured }: Conversation, object: unknown): Reply {
  const tool = structured?.tool ?? null;
  if (tool === null) return said(JSON.stringify(object));
  return { text: '', call: { kind: 'function', name: tool, args: object as Record<string, unknown> }, delayMs: 0 };
}

/** The step whose turn it is; of several objects the first whose expectation is met. Undefined after the last. */
function stepAt({ steps }: Scene, { progress, run }: { progress: Progress; run: UpstreamCall['run'] }): Step | undefined {
  const { position, asked, output } = progress;
  const step = steps[position];
  const heard = position === 0 ? asked : output;
  const candidates = step?.object === undefined ? [step] : steps.slice(position);
  const fitting = candidates.find(candidate => unmet(candidate?.expect, heard) === undefined);
  if (step === undefined || fitting !== undefined) return fitting;
  throw new RecordingMismatch(
    `The recording expected "${shortened(unmet(step.expect, heard) ?? '')}" and the ${position === 0 ? 'task' : 'sandbox'} said ` +
      `"${shortened(heard, { keeps: 'end' })}": the sample is not as it was recorded. Restore it, or make a ` +
      `new recording with skep record (${described(run)}, step ${position})`,
  );
}
