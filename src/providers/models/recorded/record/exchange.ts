import type { UpstreamCall } from '../../../../gateway/upstream.ts';
import { fields } from '../conversation/fields.ts';
import { type Conversation, progressOf, readConversation } from '../conversation/index.ts';
import { isSearch, isWait } from '../conversation/progress.ts';
import type { Step } from '../format.ts';
import { workingFolder } from '../play/folder.ts';
import { hear, type Heard } from './heard/index.ts';
import { neutral } from './neutral.ts';
import { proposedExpectation } from './propose.ts';

/** One answer of a model, as steps of a recording. */
export interface RecordedExchange {
  /** How many steps of the turn came before. */
  readonly position: number;
  readonly steps: readonly Step[];
  /** What was asked at the beginning of the turn. */
  readonly asked: string;
}

/** Undefined for what is no step: an answer that was cut off, a title that an agent asks on the side, a wait. */
export function exchangeOf(call: UpstreamCall, answer: string): RecordedExchange | undefined {
  const conversation = readConversation(call.wire, call.body);
  const heard = hear(call.wire, call.isStream, answer);
  if (heard === undefined || isAside(call, conversation)) return undefined;
  const { position, asked, output } = progressOf(conversation);
  const steps = stepsOf(heard, conversation, workingFolder(call.body));
  const [first] = steps;
  if (first === undefined) return undefined;
  const expect = first.object === undefined && hasRunCommand(conversation) ? proposedExpectation(output) : undefined;
  return { position, asked, steps: expect === undefined ? steps : [{ expect, ...first }, ...steps.slice(1)] };
}

/** What comes after a command is what the sandbox says; after other tools it is what this agent says, and no other does. */
function hasRunCommand({ entries }: Conversation): boolean {
  const last = entries.findLast(entry => entry.kind === 'call' && !isSearch(entry.call) && !isWait(entry.call));
  return entries.at(-1)?.kind === 'output' && last?.kind === 'call' && neutral(last.call, null).shell !== undefined;
}

/** Only planning is asked for structured output without tools, and only a plain model for words; agents at work do it for titles. */
function isAside({ run }: UpstreamCall, { tools, structured }: Conversation): boolean {
  return run.agent !== 'model' && tools.length === 0 && (structured === null || run.subjectType !== 'spec_phase');
}

function stepsOf(heard: Heard, { structured }: Conversation, cwd: string | null): Step[] {
  const { text } = heard;
  const handed = structured?.tool === null ? undefined : heard.calls.find(({ name }) => name === structured?.tool);
  if (handed !== undefined) return [{ object: { ...handed.args } }];
  const calls = heard.calls.filter(made => !isSearch(made) && !isWait(made));
  if (calls.length === 0 && heard.calls.length > 0) return [];
  if (calls.length === 0) return [ending(text, structured !== null)];
  // A recording makes one call at a time; what came with several is said before the first.
  return calls.map((made, i) => ({ ...(i === 0 && text !== '' ? { say: text } : {}), call: neutral(made, cwd) }));
}

function ending(text: string, isStructured: boolean): Step {
  const object = isStructured ? parsed(text) : undefined;
  return object === undefined ? { say: text } : { object };
}

function parsed(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...fields(value) } : undefined;
  } catch {
    return undefined;
  }
}
